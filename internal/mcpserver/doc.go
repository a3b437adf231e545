// Package mcpserver offers the tools over the Model Context Protocol, to clients of both eras (2025-11-25 and before, and
// 2026-07-28), over stdio and Streamable HTTP.
//
// It knows the tools by what they say about themselves and runs them through their dispatcher alone. Listing them needs
// neither store nor tenant. A gated call is a normal result that says who is waited for; a refusal is a result too,
// marked as an error, because a model can mend its call only when it can read why. No task support is declared: a task
// would reach a handler past the server's checks.
//
// What the reading tools give is also there as resources, request://, device://, alert:// and evidence://, each of which is a
// call of its tool. Whoever subscribes to one is told when what it gives has changed. Prompts are ways of working, in words.
package mcpserver
