// Package operations is the table of the documented operations of the Defender for Endpoint API and of those of
// Microsoft Graph that take their place: method, path, required fields, success, permissions and limits.
//
// The client takes its call limits from it; coverage and contract tests hold the client, the simulated tenant and the
// documentation against it.
package operations
