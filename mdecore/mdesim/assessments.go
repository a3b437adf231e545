package mdesim

// assessmentState is what exports keep.
type assessmentState struct{}

func assessmentRoutes() []route { return nil }
