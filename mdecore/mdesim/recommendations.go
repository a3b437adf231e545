package mdesim

func recommendationRoutes() []route { return nil }
