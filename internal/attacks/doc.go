// Package attacks holds the attacks on the gate as tests. Each is made on the whole house: a simulated tenant over HTTP that
// counts what is sent to it, a real database, the real Slack bot and MCP server, the real worker. docs/threats.md lists them.
package attacks
