package mdesim

func baselineRoutes() []route { return nil }
