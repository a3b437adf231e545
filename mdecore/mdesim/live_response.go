package mdesim

func liveResponseRoutes() []route { return nil }
