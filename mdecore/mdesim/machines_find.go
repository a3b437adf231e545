package mdesim

import (
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// findByIP finds devices that had an internal address within 15 minutes of a time
// in the past 30 days (documentation: find-machines-by-ip.md).
func findByIP(c *call) response {
	found, bad := c.withAddress(c.params["ip"], 15*time.Minute)
	if bad != nil {
		return c.bad(bad)
	}
	return c.list("Machines", found, "")
}

// findInfoByIP is the older form of findByIP, with 16 minutes and 404 for none
// (documentation: find-machine-info-by-ip.md). Its example has the address in
// quotes, so they are wanted.
func findInfoByIP(c *call) response {
	key := c.params["ip"]
	ip, quoted := strings.CutPrefix(key, "'")
	ip, closed := strings.CutSuffix(ip, "'")
	if !quoted || !closed {
		return c.bad(&fault400{"InvalidIpAddress", "The IP address " + key + " must be in single quotes"})
	}
	found, bad := c.withAddress(ip, 16*time.Minute)
	switch {
	case bad != nil:
		return c.bad(bad)
	case len(found) == 0:
		return c.t.problem(http.StatusNotFound, "ResourceNotFound", "No machine was found with the IP address "+ip)
	}
	return c.list("Machines", found, "")
}

// withAddress finds the devices that had an address near the call's timestamp.
// The simulator takes a device to have its addresses from firstSeen until
// lastSeen, an Active one until now.
func (c *call) withAddress(ip string, near time.Duration) ([]*Machine, *fault400) {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return nil, &fault400{"InvalidIpAddress", "The IP address '" + ip + "' is not valid"}
	}
	at, err := parseTime(c.params["timestamp"])
	if err != nil {
		return nil, &fault400{"InvalidInput", "The timestamp is not valid: " + err.Error()}
	}
	const oldest = 30 * 24 * time.Hour
	now := c.t.now()
	if at.Before(now.Add(-oldest)) || at.After(now.Add(near)) {
		return nil, &fault400{"InvalidInput", "The timestamp must be in the past 30 days"}
	}
	found := []*Machine{}
	for _, d := range c.t.snapshot() {
		until := d.LastSeen
		if d.HealthStatus == "Active" {
			until = now
		}
		if d.hasAddress(addr) && !at.Before(d.FirstSeen.Add(-near)) && !at.After(until.Add(near)) {
			found = append(found, &d.Machine)
		}
	}
	return found, nil
}

func (d *device) hasAddress(addr netip.Addr) bool {
	same := func(s string) bool {
		a, err := netip.ParseAddr(s)
		return err == nil && a == addr
	}
	return same(string(d.LastIPAddress)) ||
		slices.ContainsFunc(d.IPAddresses, func(ip IPAddress) bool { return same(ip.IPAddress) })
}

// findByTag finds devices that have a tag, or one that begins so (documentation:
// find-machines-by-tag.md). Upper and lower case are different.
func findByTag(c *call) response {
	query := c.r.URL.Query()
	tag, prefix := query.Get("tag"), false
	if tag == "" {
		return c.bad(&fault400{"MissingRequiredParameter", "The required parameter 'tag' is missing"})
	}
	if text := query.Get("useStartsWithFilter"); text != "" {
		var err error
		if prefix, err = strconv.ParseBool(text); err != nil {
			return c.bad(&fault400{"InvalidInput", "useStartsWithFilter must be true or false, not '" + text + "'"})
		}
	}
	found := []*Machine{}
	for _, d := range c.t.snapshot() {
		if slices.ContainsFunc(d.MachineTags, func(have string) bool { return have == tag || prefix && strings.HasPrefix(have, tag) }) {
			found = append(found, &d.Machine)
		}
	}
	return c.list("Machines", found, "")
}
