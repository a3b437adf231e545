package mdesim

// investigationState is the automated investigations.
type investigationState struct{}

func investigationRoutes() []route { return nil }
