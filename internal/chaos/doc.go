// Package chaos kills real worker processes at named moments and counts what the tenant saw. It holds tests only: every
// step must have had exactly one effect, or be unknown with a person asked; nothing may be lost, doubled or stuck.
package chaos
