package mdesim

func remediationRoutes() []route { return nil }
