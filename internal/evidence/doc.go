// Package evidence keeps what was collected from devices: content under its own SHA-256, and for every collection a
// manifest that says which device, action and request it came from, who asked and who approved, and what its hashes are.
//
// The layout in a bucket is
//
//	content/<sha256>               the bytes, once however often they were collected
//	manifest/<id>.json             one per collection; its id begins with the time, newest first
//	device/<device>/<id>           empty entries by which manifests are found
//	request/<request>/<id>
//	holds/<sha256>/<id>            which manifests need a content
//	removing/<sha256>              a content that retention is just removing
//	once/<hash>                    the id of a collection that was stored, so that storing it again finds it
//
// The manifest is written last, so that an interrupted Put leaves nothing that anybody sees; Sweep removes its remains.
// The manifest carries the hashes of the content's parts, so that every part that is read is verified.
//
// This package knows buckets only as an interface; packages blobs and azure open them. That keeps the start of programs that
// only show evidence free of the drivers' cost.
package evidence
