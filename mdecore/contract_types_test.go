package mdecore_test

import "testing"

// contractResources are the types by the names of the documented resources.
func contractResources(t testing.TB) map[string]any {
	t.Helper()
	return merged(t, alertResources(), machineResources(), machineActionResources(), liveResponseResources(),
		libraryResources(), indicatorResources(), huntingResources(), investigationResources(),
		exposureResources(), entityResources(), assessmentResources(), scanResources())
}

// contractRequests are the request types by the ids of the documented operations.
func contractRequests(t testing.TB) map[string]any {
	t.Helper()
	return merged(t, alertRequests(), machineRequests(), machineActionRequests(), liveResponseRequests(),
		libraryRequests(), indicatorRequests(), huntingRequests(), investigationRequests(),
		exposureRequests(), assessmentRequests(), scanRequests())
}

// contractSamples are the types that documented answers decode into, by the operations' ids.
func contractSamples(t testing.TB) map[string]any {
	t.Helper()
	return merged(t, alertSamples(), machineSamples(), machineActionSamples(), liveResponseSamples(),
		librarySamples(), indicatorSamples(), huntingSamples(), investigationSamples(),
		exposureSamples(), entitySamples(), assessmentSamples(), scanSamples())
}
