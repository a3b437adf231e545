package mdesim

// libraryState is the live response library.
type libraryState struct{}

func libraryRoutes() []route { return nil }
