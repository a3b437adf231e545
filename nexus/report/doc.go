// Package report reads the report of the Defender agent on a Nexus node: the result of the data extract command
// mde-agent-information (https://learn.microsoft.com/azure/operator-nexus/howto-baremetal-run-data-extract).
//
// A result is JSON, or an archive with the JSON in it: a tar.gz, or a zip inside of that. Which, is told by its first bytes.
// Nothing is ever written to a disk, and the JSON is read as a stream:
//
//	read.go     limits, gzip, what the first bytes say
//	archive.go  tar: which member is the report; names, kinds and numbers of members that are refused
//	zip.go      zip, which has its directory at its end and is therefore held, still packed
//	scanner.go  JSON one value at a time; what nobody asks for is checked and forgotten
//	value.go    one small value: text, number, yes or no, in all the forms that agents write
//	decode.go   the sections; health.go, scan.go and threat.go what is in them
//	collect.go  scans and threats that are told twice become one
//
// All texts of a report come from whoever can put a file onto a node. They are data here: shortened, never cleaned. Whoever
// shows them has to.
package report
