package mdesim

func deviceHealthRoutes() []route { return nil }
