package mdecore_test

import "testing"

// contractResources are the types by the names of the documented resources.
func contractResources(t testing.TB) map[string]any { return merged(t) }

// contractRequests are the request types by the ids of the documented operations.
func contractRequests(t testing.TB) map[string]any { return merged(t) }

// contractSamples are the types that documented answers decode into, by the operations' ids.
func contractSamples(t testing.TB) map[string]any { return merged(t) }
