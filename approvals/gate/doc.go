// Package gate is what every face of the product may do with requests: submit, read, wait and withdraw. It cannot
// approve, and nothing it imports can: votes are cast in approvals/ballot, which only faces that authenticate people
// import.
package gate
