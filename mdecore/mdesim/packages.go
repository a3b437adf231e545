package mdesim

func packageRoutes() []route { return nil }
