// Package download streams what a signed link points to into an io.Writer, with flat memory.
//
// A signed link is its own permission, so the client here never has a credential that it could send along, follows no
// redirect, and asks the caller's CheckLink about every host before anything leaves. A link that has expired is issued
// anew once. A body that is cut is continued with Range and If-Range, but only when the server named a strong ETag and
// proves with Content-Range and the same ETag that it goes on with the same content; anything else ends in an error that
// says how much was written. The SHA-256 of the raw bytes, and of the unpacked content when a gzip body is unpacked, is
// taken while the bytes pass.
//
// Errors never hold the query of a link, because that is where its signature stands.
package download
