// Package worker claims approved requests and sees every step through: sent at most once, found again after a crash,
// followed to its end. It trusts no stored answer: before every send it computes the approval again, with its own policy
// and from signed votes, and compares the request with its audit.
//
// A step is marked as sending, durably, before it is sent. From then on it is never sent again, unless it is certain
// that nothing was accepted: whatever the answer was, the worker looks for its trace instead, and when there is none it
// asks a person.
package worker
