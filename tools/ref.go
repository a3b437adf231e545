package tools

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"sync"
)

// refKind says how a device was named.
type refKind int

const (
	refID   refKind = iota + 1 // 40 hex digits
	refAAD                     // the Entra (Azure AD) device id, a GUID
	refIP                      // an address that it has now
	refName                    // a full or short DNS name
)

// ref is a reference to a device as a caller gave it, understood but not yet resolved.
type ref struct {
	kind refKind
	// text is the reference in lower case.
	text string
	ip   netip.Addr
}

var (
	numbersText = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9.]+$`) })
	longHexText = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-fA-F]{30,}$`) })
)

// maxName is the longest DNS name.
const maxName = 253

// parseRef understands a device reference. It is strict because what is understood here gets isolated: no look-alike
// letters, no paths, no half of an id. Its errors are for the caller.
func parseRef(s string) (ref, error) {
	s = strings.TrimSpace(s)
	if err := plainRef(s); err != nil {
		return ref{}, err
	}
	low := strings.ToLower(s)
	switch {
	case deviceText().MatchString(s):
		return ref{kind: refID, text: low}, nil
	case guidText().MatchString(s):
		return ref{kind: refAAD, text: low}, nil
	case longHexText().MatchString(s):
		return ref{}, fmt.Errorf("%s looks like a device id but has %d digits; an id has 40", quoted(s, 60), len(s))
	}
	if ip, err := netip.ParseAddr(s); err == nil {
		return ipRef(ip)
	}
	if numbersText().MatchString(s) && strings.Contains(s, ".") {
		return ref{}, fmt.Errorf("%s is not an IP address", quoted(s, 60))
	}
	if strings.Contains(s, ":") {
		return ref{}, fmt.Errorf("%s is neither a device name nor an IP address", quoted(s, 60))
	}
	return nameRef(low)
}

// plainRef refuses characters that no reference has, naming the first.
func plainRef(s string) error {
	switch {
	case s == "":
		return errors.New("is empty; name a device by id, DNS name, IP or Entra device id")
	case len(s) > maxName:
		return fmt.Errorf("has %d bytes; a device name has at most %d", len(s), maxName)
	case strings.Contains(s, ".."):
		return fmt.Errorf("%s holds '..'", quoted(s, 60))
	}
	for _, r := range s {
		switch {
		case r >= '0' && r <= '9', r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', strings.ContainsRune(".-_:", r):
		case hidden(r):
			return fmt.Errorf("holds the control or invisible character U+%04X; remove it", r)
		case r > 127:
			return fmt.Errorf("%s holds %q (U+%04X), which may only look like an ASCII letter; "+
				"use ASCII letters, digits, '.', '-' and '_', or the device id", quoted(s, 60), r, r)
		default:
			return fmt.Errorf("%s holds %q; use ASCII letters, digits, '.', '-' and '_'", quoted(s, 60), r)
		}
	}
	return nil
}

func ipRef(ip netip.Addr) (ref, error) {
	ip = ip.Unmap()
	if ip.Zone() != "" || ip.IsLoopback() || ip.IsUnspecified() || ip.IsMulticast() {
		return ref{}, fmt.Errorf("%s is not the address of one device", quoted(ip.String(), 60))
	}
	return ref{kind: refIP, text: ip.String(), ip: ip}, nil
}

func nameRef(s string) (ref, error) {
	s = strings.TrimSuffix(s, ".") // the root, as resolvers write it
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return ref{}, fmt.Errorf("%s is not a device name", quoted(s, 60))
		}
	}
	return ref{kind: refName, text: s}, nil
}

// matches reports whether a device of that DNS name is what a name reference means: the full name, or the first label.
// Letters are compared as ASCII ones, because to lower case the Kelvin sign is a k.
func (r ref) matches(dnsName string) bool {
	name := asciiLower(strings.TrimSuffix(dnsName, "."))
	if name == r.text {
		return true
	}
	first, _, _ := strings.Cut(name, ".")
	return !strings.Contains(r.text, ".") && first == r.text
}
