// Package interop checks the MCP server with what other people wrote: the protocol's conformance suite, the Inspector's strict
// look at schemas, and (from internal/demo) clients of the official SDKs. Only tests use it. Those that need Node run in
// `make clients`, which installs the packages that package.json names. What Slack wrote is among them: the tests called
// TestOthers… below internal/slackbot hold our cards, signatures, manifest and simulated workspace against it.
package interop
