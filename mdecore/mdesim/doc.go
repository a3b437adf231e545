// Package mdesim is a simulated Microsoft Defender for Endpoint tenant: the
// Entra ID token endpoint, the documented operations of the Defender API, those
// of Microsoft Graph security that replace them, and the storage that signed
// links lead to, over HTTPS on a loopback address. It is for tests, demos and load runs;
// it protects nothing and reaches no device.
//
// The zero [Tenant] is ready: 250 seeded devices, about 60 alerts, two
// registered applications and three people. Behaviour is set in the tenant's
// exported fields before the first request; what happened is read back with
// [Tenant.Effects], [Tenant.Requests] and [Tenant.Writes].
//
//	tenant := &mdesim.Tenant{ActionPending: time.Second}
//	server, err := tenant.Start()
//	...
//	defer server.Close()
//	host := tenant.Device("host01")
//
// Actions move from Pending over InProgress to a terminal status by the
// tenant's clock. The status is computed when it is read, so there are no
// goroutines and an injected clock decides everything.
//
// Where the published documentation is silent the simulator picks the stricter
// answer, and says so at the place where it does.
package mdesim
