package mdesim

func softwareRoutes() []route { return nil }
