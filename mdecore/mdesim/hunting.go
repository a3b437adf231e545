package mdesim

// huntingState is what hunting keeps.
type huntingState struct{}

func huntingRoutes() []route { return nil }
