// Package audit keeps the audit honest from outside its database. Checkpoints say, signed by a key that is not in the
// database and kept in another place, how many rows there were and what the last one's hash was: whoever can write to the
// database can then neither compute the chain anew nor cut its end off without being found. Export carries every row to a
// file or a collector, and Verify reads everything and says what it could prove, and up to where.
package audit
