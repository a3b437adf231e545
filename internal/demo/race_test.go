//go:build race

package demo

// slower is how many times longer things may take while the race detector watches.
const slower = 4
