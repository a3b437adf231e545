package mdesim

func scoreRoutes() []route { return nil }
