package mdesim

import "strings"

// control is a configuration that devices should have. Its id is an SCID.
type control struct {
	scid, title           string
	category, subcategory string // as in recommendationCategory
	points                int    // its worth in the secure score, 1 to 10
	on                    string // platforms and families, with spaces between
	share                 int    // percent of devices that have it
	salt                  uint64
	platforms             []string // on, split
}

// id is the recommendation's id.
func (c *control) id() string { return "sca-_-" + c.scid }

// applies reports whether a control is for a device's platform.
func (c *control) applies(v inventory) bool {
	return runs(c.platforms, v)
}

// met reports whether a device has the configuration. Like software, it follows
// from the device.
func (c *control) met(v inventory) bool {
	return int(scramble(v.hash^c.salt)%100) < c.share-10*max(-1, v.lag)
}

// knownControls are the controls, ordered by SCID. Their numbers and names are
// like the real ones; a secure score is the sum of points that a fleet has earned.
func knownControls() []*control {
	controls := []*control{
		{scid: "scid-2010", title: "Turn on Microsoft Defender Antivirus", category: "SecurityControls", subcategory: "Antivirus", points: 10, on: "client server", share: 96},
		{scid: "scid-2011", title: "Update Microsoft Defender Antivirus definitions", category: "SecurityControls", subcategory: "Antivirus", points: 9, on: "client server", share: 85},
		{scid: "scid-2012", title: "Turn on real-time protection", category: "SecurityControls", subcategory: "Antivirus", points: 10, on: "client server", share: 94},
		{scid: "scid-2020", title: "Enable scanning of removable drives during a full scan", category: "SecurityControls", subcategory: "Antivirus", points: 5, on: "client", share: 50},
		{scid: "scid-2070", title: "Turn on Microsoft Defender Firewall", category: "SecurityControls", subcategory: "Firewall", points: 8, on: "client server", share: 88},
		{scid: "scid-2090", title: "Encrypt all drives with BitLocker", category: "SecurityControls", subcategory: "Encryption", points: 8, on: "client", share: 75},
		{scid: "scid-3001", title: "Disable SMBv1", category: "Network", points: 6, on: "client server", share: 80},
		{scid: "scid-3010", title: "Disable the LLMNR protocol", category: "Network", points: 4, on: "client server", share: 55},
		{scid: "scid-4001", title: "Set the minimum password length to 14 characters", category: "Accounts", subcategory: "Password policy", points: 6, on: "client server", share: 60},
		{scid: "scid-5001", title: "Disable root logon over SSH", category: "Accounts", subcategory: "SSH", points: 7, on: "linux", share: 65},
		{scid: "scid-6001", title: "Turn on FileVault", category: "OS", subcategory: "Encryption", points: 7, on: "macOS", share: 80},
	}
	for _, c := range controls {
		c.salt, c.platforms = hash64("control/"+c.scid), strings.Fields(c.on)
	}
	return controls
}
