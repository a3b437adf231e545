// Package doctor looks at everything that mde-mcp and mde-slackbot need around them, and says of each thing whether it is
// as it must be, what was found, and what to do when it is not.
//
// A Check is a small function with a name, a deadline, and the names of the checks that must have gone well before it. Run
// runs all of them at once and shows what they found in their order. They read, and ask for tokens; nothing is ever written
// to the tenant, to the store or to the audit, and no finding holds a secret.
package doctor
