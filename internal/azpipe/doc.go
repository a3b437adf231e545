// Package azpipe holds the HTTP pipeline and the credentials that every Azure client of the project shares.
//
// The pipeline is azcore's, with policies of our own where azcore's defaults would be dangerous for a tool that isolates
// devices: azcore sends a POST again after a 5xx answer or a cut connection, sends its bearer token to whatever host a
// link names, and leaves SAS signatures readable in transport errors. In order, from the caller to the wire:
//
//	watch        tells whoever measures how each call went, if anybody does
//	request id   x-ms-client-request-id, so that a call can be found again in the service's log
//	retry        429 by Retry-After for every method; 5xx, 408 and cut connections for reads only
//	host pin     refuses any host but the configured one, before a token is asked for
//	renew        one 401 is answered with a rebuilt credential and one more send
//	budget       keeps each endpoint within its documented calls per minute and per hour: who has to wait waits in line,
//	             containment first, and a 429 pauses the endpoint for all callers
//	bearer       azcore's own token policy
//	attempt      opens a large body from its source; time limit of one send, and whether a failed write can have reached
//	             the service at all
//	buffer       reads the answer with a size limit
//
// The transport below it limits connecting, waiting for an answer and silence inside a body, never the length of a
// download, and takes secrets out of every error.
package azpipe
