package mdecore

import (
	"context"
	"iter"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// ipWindow is how far back the service looks for an address.
const ipWindow = 30 * 24 * time.Hour

// FindMachinesByIP returns the machines that were seen with an internal address within 15 minutes of a time in the last
// 30 days; the zero time means now. Documentation page: find-machines-by-ip.md.
//
//mde:op GET /api/machines/findbyip(ip='{ip}',timestamp={timestamp}) roles=Machine.ReadWrite.All,Machine.Read.All
func (c *Client) FindMachinesByIP(ctx context.Context, ip netip.Addr, at time.Time) ([]*Machine, error) {
	return collect(list[Machine](ctx, c, call{op: "FindMachinesByIP", args: args{addressArg(ip), timestampArg(at)}}, Page{}))
}

// FindMachineInfoByIP is the older form of FindMachinesByIP. It looks 16 minutes before and after the time, and none
// found is an error for which IsNotFound holds. Documentation page: find-machine-info-by-ip.md.
//
// Deprecated: the documentation calls the operation legacy; use FindMachinesByIP.
//
//mde:op GET /api/machines/find(timestamp={timestamp},key={ip}) roles=Machine.ReadWrite.All,Machine.Read.All
func (c *Client) FindMachineInfoByIP(ctx context.Context, ip netip.Addr, at time.Time) ([]*Machine, error) {
	// The page's example has the address in quotes, although its path has not.
	return collect(list[Machine](ctx, c, call{op: "FindMachineInfoByIP", args: args{timestampArg(at), quoted(addressArg(ip))}}, Page{}))
}

// quoted puts an argument between quotes.
func quoted(a arg) arg { return arg{"'" + a.value + "'", a.invalid} }

// timestampArg is the time near which a machine had an address; the zero time means now.
func timestampArg(at time.Time) arg {
	now := time.Now()
	if at.IsZero() {
		at = now
	}
	text := at.UTC().Format(time.RFC3339)
	if at.Before(now.Add(-ipWindow)) || at.After(now.Add(time.Hour)) {
		return arg{invalid: invalid("timestamp", text, "it must be within the past 30 days")}
	}
	return arg{value: text}
}

// FindMachinesByTag iterates over the machines that have a tag, or, with startsWith, one that begins with it. The tags in
// the answer are compared, because a filter that the service did not apply would name other machines; upper and lower
// case are the same in this. Documentation page: find-machines-by-tag.md.
//
//mde:op GET /api/machines/findbytag roles=Machine.ReadWrite.All,Machine.Read.All
func (c *Client) FindMachinesByTag(ctx context.Context, tag string, startsWith bool) iter.Seq2[*Machine, error] {
	query := url.Values{"tag": {tag}}
	if startsWith {
		query.Set("useStartsWithFilter", "true")
	}
	found := list[Machine](ctx, c, call{op: "FindMachinesByTag", query: query, invalid: checkTag(tag)}, Page{})
	return func(yield func(*Machine, error) bool) {
		for m, err := range found {
			if err == nil && !m.tagged(tag, startsWith) {
				continue
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

// tagged reports whether a machine has a tag, or one that begins with it.
func (m *Machine) tagged(tag string, startsWith bool) bool {
	tag = strings.ToLower(tag)
	return slices.ContainsFunc(m.MachineTags, func(have string) bool {
		have = strings.ToLower(have)
		return have == tag || startsWith && strings.HasPrefix(have, tag)
	})
}

// maxTag is our own limit for the length of a tag; the pages state none.
const maxTag = 200

// checkTag refuses what cannot be a tag, or would not be seen as it is.
func checkTag(tag string) error {
	switch {
	case tag == "" || tag != strings.TrimSpace(tag):
		return invalid("tag", tag, "it must not be empty, nor begin or end with a space")
	case !utf8.ValidString(tag) || strings.ContainsFunc(tag, func(r rune) bool { return unicode.Is(unicode.C, r) }):
		return invalid("tag", tag, "it holds a control character, an invisible one, or is not valid UTF-8")
	case utf8.RuneCountInString(tag) > maxTag:
		return invalid("tag", tag, "it is longer than 200 characters")
	}
	return nil
}
