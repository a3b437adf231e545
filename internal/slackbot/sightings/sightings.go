// Package sightings finds what can be looked up in a message that somebody wrote: hashes, addresses, domains, accounts, names
// that may be devices', and the ids of alerts and requests.
//
// The text is untrusted. Nothing is guessed that would act: a sighting is only offered to be looked at.
package sightings

import (
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
)

// Kind says what something is, or may be.
type Kind string

// The kinds.
const (
	SHA256  Kind = "SHA-256"
	SHA1    Kind = "SHA-1 or device id"
	IP      Kind = "IP address"
	URL     Kind = "URL"
	Domain  Kind = "domain or device"
	Account Kind = "account"
	Alert   Kind = "alert"
	Request Kind = "request"
	Name    Kind = "device name?"
)

// Sighting is something that was found.
type Sighting struct {
	Kind  Kind
	Value string
	// Private says that an address is one of a network's own.
	Private bool
}

// Most is how many sightings are returned at most, and maxText how much of a text is read, in bytes.
const (
	Most    = 20
	maxText = 40_000
)

// defanged are the ways in which people write addresses that must not be clicked.
var defanged = strings.NewReplacer(
	"[.]", ".", "(.)", ".", "{.}", ".", "[dot]", ".", "(dot)", ".", "[:]", ":", "[:/]", ":/", "[://]", "://", "[@]", "@", "[at]", "@",
	"hxxps", "https", "hXXps", "https", "hxxp", "http", "hXXp", "http", "HXXP", "http",
)

// slackMarkup is what Slack makes of links and mentions: <target> or <target|label>.
var slackMarkup = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`<([^<>|]*)(?:\|[^<>]*)?>`) })

// pattern is how one kind is recognised in a word.
type pattern struct {
	kind Kind
	is   *regexp.Regexp
}

// patterns are tried in their order; the first that fits counts.
var patterns = sync.OnceValue(func() []pattern {
	p := func(kind Kind, expr string) pattern { return pattern{kind, regexp.MustCompile(`^(?:` + expr + `)$`)} }
	return []pattern{
		p(SHA256, `[0-9a-fA-F]{64}`),
		p(SHA1, `[0-9a-fA-F]{40}`),
		p(Alert, `da[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}_\d+|da[0-9a-f]{10,40}_-?\d+|da\d{15,22}_-?\d{1,12}|\d{15,22}_-?\d{1,12}`),
		p(Account, `[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)+`),
		p(Domain, `(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}`),
		p(Request, `[0-9A-HJKMNP-TV-Z]{8}`),
		p(Name, `[A-Za-z][A-Za-z0-9-]{2,62}`),
	}
})

// Find returns what is in a text, each once, in the order of the text.
func Find(text string) []Sighting {
	text = text[:min(len(text), maxText)]
	text = slackMarkup().ReplaceAllString(text, " $1 ")
	text = defanged.Replace(strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&").Replace(text))
	var found []Sighting
	seen := map[string]bool{}
	for _, word := range strings.FieldsFunc(text, separates) {
		word = strings.Trim(word, `.,;!?*_~'/\-`)
		if !strings.HasSuffix(word, "::") { // the end of an IPv6 address
			word = strings.TrimSuffix(word, ":")
		}
		s, ok := one(word)
		key := strings.ToLower(s.Value)
		if !ok || seen[key] {
			continue
		}
		seen[key] = true
		if found = append(found, s); len(found) == Most {
			break
		}
	}
	return found
}

// separates reports what ends a word. A colon does not, because of IPv6 and URLs.
func separates(r rune) bool {
	return r <= ' ' || r == '\u00a0' || strings.ContainsRune("\"`<>()[]{}|,;“”‘’«»", r)
}

// one recognises a word.
func one(word string) (Sighting, bool) {
	if len(word) < 3 || len(word) > 2000 {
		return Sighting{}, false
	}
	if u, err := url.Parse(word); err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
		return Sighting{Kind: URL, Value: word}, true
	}
	word = strings.TrimPrefix(word, "mailto:")
	if ip, err := netip.ParseAddr(withoutPort(word)); err == nil && ip.Zone() == "" {
		ip = ip.Unmap()
		return Sighting{Kind: IP, Value: ip.String(), Private: ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast()}, true
	}
	for _, p := range patterns() {
		if p.is.MatchString(word) && likely(p.kind, word) {
			return Sighting{Kind: p.kind, Value: word}, true
		}
	}
	return Sighting{}, false
}

// withoutPort is the address of 10.0.0.1:443 and of 10.0.0.0/24.
func withoutPort(word string) string {
	host, _, _ := strings.Cut(word, "/")
	if strings.Count(host, ":") == 1 {
		host, _, _ = strings.Cut(host, ":")
	}
	return host
}

// likely leaves out the words of ordinary language: a request's id has digits and letters, a device's name a digit or a
// hyphen between letters.
func likely(k Kind, word string) bool {
	digits := strings.ContainsAny(word, "0123456789")
	switch k {
	case Request:
		return digits && strings.ToUpper(word) == word && strings.ContainsAny(word, "ABCDEFGHJKMNPQRSTVWXYZ")
	case Name:
		return digits || (strings.Count(word, "-") > 0 && len(word) >= 6)
	case SHA256, SHA1, IP, URL, Domain, Account, Alert:
		return true
	}
	return false
}
