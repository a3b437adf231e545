// Package store keeps what the gate must never lose: requests, their steps and votes, the chained audit, the messages
// posted about them, and the jobs that move them on. It works on one SQLite file or on a PostgreSQL database with one
// text of SQL; River carries the jobs inside the same transactions.
//
// Our own rows hold the truth. A job only says "look at this request now"; running any job twice must change nothing,
// and nothing about whether an action may run is ever read from a job.
//
// Every change is a compare-and-set on state and version, and its audit row is written by the same commit. A row that
// can't be understood (an unknown state, a damaged plan) is reported as tampering, because guessing would act on it.
package store
