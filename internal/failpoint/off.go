//go:build !failpoints

package failpoint

// Enabled says whether this build obeys failpoints.
const Enabled = false

// Hit does nothing in a normal build.
func Hit(string) {}
