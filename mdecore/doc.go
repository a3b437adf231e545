// Package mdecore is a client of the Microsoft Defender for Endpoint REST API.
//
// One documented operation is one short method, with the documentation page it follows and a line that tools read:
//
//	//mde:op METHOD /path/{template} roles=Any,Of,These
//
// The roles are the application permissions of which any one suffices, those of older revisions of the page included.
// Names of resources, fields and enum values are the API's own ("machine" is what everybody calls a device). Enum types
// are strings and keep values that are not known yet. Lists are iterators that follow the service's next link.
//
// Every failure is an *Error. For a write it matters most whether it may have been done all the same: NotSent and
// Refused are certain that it was not; after anything else the caller must look before trying again. The client itself
// never sends a write twice, except after a 401 or a 429, which are refusals.
package mdecore
