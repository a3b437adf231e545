// Package app turns configuration into the parts of the house: log, simulated tenant, clients, store, policy and gate.
// It is the only place that sees everything. What differs between the two binaries is in its folders: mcpapp builds the
// MCP server, slackapp the bot and the worker.
package app
