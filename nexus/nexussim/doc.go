// Package nexussim is a simulated Azure Resource Manager with Azure Operator Nexus clusters, and the storage that the results
// of commands on their nodes are written to, over HTTPS on a loopback address. It is for tests, demos and load runs; it
// protects nothing and reaches no cluster.
//
// The zero [Azure] is ready: one subscription with three clusters. Behaviour is set in its exported fields before the first
// request; what happened is read back with [Azure.Effects] and [Azure.Requests].
//
//	azure := &nexussim.Azure{OperationTime: time.Second}
//	server, err := azure.Start()
//	...
//	defer server.Close()
//	azure.SetNode("contoso-cluster", "rack1compute01", func(n *nexussim.Node) { n.Result = nexussim.ResultCut })
//
// Operations and scans go by the simulator's clock: what has ended is worked out when somebody looks, so that there are no
// goroutines and an injected clock decides everything.
//
// Tokens are JSON Web Tokens whose audience, application and end are read and whose signature is not: who can reach a
// loopback address could make one anyway. Where the published documentation is silent the stricter answer is picked.
package nexussim
