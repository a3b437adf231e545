// Package bench measures the whole house against a baseline in the same run: how long the server takes to answer its
// first message, and how long an approval takes to reach the tenant. It holds benchmarks only.
package bench
