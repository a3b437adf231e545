// Package mdecore is a client of the Microsoft Defender for Endpoint REST API, and of the parts of Microsoft Graph security
// that replace what it has retired.
//
// # A client
//
// NewCredential says who the program is, New says where to: the zero Options are the worldwide cloud with the documented
// call rates. Any other azcore.TokenCredential serves as well. A client is safe for concurrent use.
//
//	cred, err := mdecore.NewCredential(mdecore.CredentialConfig{
//		Kind: mdecore.CredentialCertificate, TenantID: tenant, ClientID: app, CertificateFile: "reader.pem",
//	})
//	...
//	client, err := mdecore.New(cred, mdecore.Options{TenantID: tenant, AppID: app})
//	...
//	machine, err := client.GetMachine(ctx, id)
//
// # Operations
//
// One documented operation is one short method, with the documentation page it follows and a line that tools read:
//
//	//mde:op METHOD /path/{template} roles=Any,Of,These
//
// The roles are the application permissions of which any one suffices, those of older revisions of the page included.
// Path, permissions and call rate come from the table in package operations. Names of resources, fields and enum values are
// the API's own ("machine" is what everybody calls a device). Enum types are strings and keep values that are not known
// yet; missing fields and nulls are zero values. What the documentation calls deprecated is marked so, with what to use
// instead.
//
// # Lists and filters
//
// Lists are iterators that follow the service's next link and fetch a page when it is needed; a break ends the fetching.
// An error comes once, as the last item. Filters are built with And, Or, Eq and the like, which quote values correctly, or
// written with Raw.
//
//	query := mdecore.Query{Filter: mdecore.Eq("healthStatus", mdecore.HealthActive)}
//	for machine, err := range client.ListMachines(ctx, query) {
//
// # Writes
//
// Every failure is an *Error. For a write it matters most whether it may have been done all the same: NotSent and
// Refused are certain that it was not; after anything else, which is Uncertain, the caller must look before trying again.
// The client itself never sends a write twice, except after a 401 (once) or a 429, which are refusals. Bulk methods such as
// TagMachines and ImportIndicators take any number of items, split them as documented, and say for each item what became
// of it.
//
// Machine actions and live response sessions go on in the service after the call that started them: WaitMachineAction
// follows one to its end.
//
// # Downloads
//
// Results, packages and exports are streamed through signed links, without a token, to hosts of the client's cloud only.
// A body that is cut is continued where that is safe; sizes are limited, and hashes of what came are returned. ExportRows
// reads an export row by row with flat memory.
//
// # Call rates
//
// Each endpoint has a budget, its documented call rate; clients of one application share it by sharing Budgets. Calls wait
// in line, writes before reads (see WithPriority), at most 60 s; a longer wait is an error whose RetryAfter says how long.
//
// # Testing
//
// Package mdesim is a simulated tenant over real HTTPS. The examples of this package run against it, and so can the tests
// of a program that uses it.
package mdecore
