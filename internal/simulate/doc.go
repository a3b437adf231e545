// Package simulate is what the simulated services share: faults that are armed for requests to come, and serving over TLS on
// a loopback address with a certificate of one's own. What a service answers is its own affair.
package simulate
