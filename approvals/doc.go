// Package approvals holds the words and the rules of the approval gate: the plan of a call that would change a tenant,
// the request made of it, the votes on it, the states both may take and the audit of every change.
//
// This package is pure: it reads no clock, opens no database and calls nobody but the Directory it is given. The packages
// beneath it do the work:
//
//   - approvals/policy answers whether a planned call may run, and whose yes it needs;
//   - approvals/store keeps requests, steps, votes, messages and the audit, on SQLite or PostgreSQL, and carries jobs;
//   - approvals/gate lets requests in, and lets them be read, waited for and withdrawn: what any face may do;
//   - approvals/ballot casts votes: what only a face that authenticates people may do;
//   - approvals/worker claims what was approved, having verified it again, and sees each step through.
//
// The invariants that the gate keeps are listed in docs/approvals.md, each with the test that fails without it.
package approvals
