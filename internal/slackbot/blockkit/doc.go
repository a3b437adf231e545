// Package blockkit makes what Slack shows out of text that attackers may have written: device names, alert titles, reasons.
//
// Untrusted text travels as plain_text where it can, is made visible first (no line breaks, no invisible or reordering
// letters), then escaped, and cut last and never inside an entity. A Composer keeps Slack's limits and remembers whether
// anything was lost, because nobody may approve what they could not read whole.
package blockkit
