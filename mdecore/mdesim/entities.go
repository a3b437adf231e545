package mdesim

func entityRoutes() []route { return nil }
