package mdecore

import (
	"context"
	"iter"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// StatsQuery says how far back statistics look. The zero value takes the service's default, 30 days.
type StatsQuery struct {
	// LookBackHours is 1 to 720; 0 for the default.
	LookBackHours int
}

// maxLookBack is the documented maximum of lookBackHours: 30 days.
const maxLookBack = 720

// call adds the query to a call.
func (q StatsQuery) call(what call) call {
	switch {
	case q.LookBackHours < 0 || q.LookBackHours > maxLookBack:
		what.invalid = invalid("look-back hours", strconv.Itoa(q.LookBackHours), "they must be 1 to 720, or 0 for the service's default")
	case q.LookBackHours > 0:
		what.query = url.Values{"lookBackHours": {strconv.Itoa(q.LookBackHours)}}
	}
	return what
}

// GetFile returns what is known about a file, by its SHA-1 or SHA-256. An answer about another file is an error.
// Documentation page: get-file-information.md.
//
//mde:op GET /api/files/{file_id} roles=File.Read.All
func (c *Client) GetFile(ctx context.Context, hash string) (*File, error) {
	const op = "GetFile"
	file, err := fetch[File](ctx, c, call{op: op, args: args{fileHashArg(hash)}})
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(file.SHA1, hash) && !strings.EqualFold(file.SHA256, hash) {
		return nil, otherEntity(op, "file", hash, file.SHA1)
	}
	return file, nil
}

// ListFileAlerts iterates over the alerts about a file, by its SHA-1. There are none of a file that is not known.
// Documentation page: get-file-related-alerts.md.
//
//mde:op GET /api/files/{file_id}/alerts roles=Alert.ReadWrite.All,Alert.Read.All
func (c *Client) ListFileAlerts(ctx context.Context, sha1 string) iter.Seq2[*Alert, error] {
	return list[Alert](ctx, c, call{op: "ListFileAlerts", args: args{fileSHA1Arg(sha1)}}, Page{})
}

// ListFileMachines iterates over the machines on which a file was seen, by its SHA-1. There are none of a file that is not
// known. Documentation page: get-file-related-machines.md.
//
//mde:op GET /api/files/{file_id}/machines roles=Machine.ReadWrite.All,Machine.Read.All
func (c *Client) ListFileMachines(ctx context.Context, sha1 string) iter.Seq2[*Machine, error] {
	return list[Machine](ctx, c, call{op: "ListFileMachines", args: args{fileSHA1Arg(sha1)}}, Page{})
}

// GetFileStats returns how common a file is, by its SHA-1 or SHA-256. Documentation page: get-file-statistics.md.
//
//mde:op GET /api/files/{file_id}/stats roles=File.Read.All
func (c *Client) GetFileStats(ctx context.Context, hash string, q StatsQuery) (*FileStats, error) {
	const op = "GetFileStats"
	stats, err := fetch[FileStats](ctx, c, q.call(call{op: op, args: args{fileHashArg(hash)}}))
	if err == nil && len(hash) == sha1Digits && !strings.EqualFold(stats.SHA1, hash) {
		return nil, otherEntity(op, "file", hash, stats.SHA1)
	}
	return stats, err
}

// ListIPAlerts iterates over the alerts about an IPv4 or IPv6 address. There are none of an address that is not known.
// Documentation page: get-ip-related-alerts.md.
//
//mde:op GET /api/ips/{ip}/alerts roles=Alert.Read.All,Alert.ReadWrite.All
func (c *Client) ListIPAlerts(ctx context.Context, ip netip.Addr) iter.Seq2[*Alert, error] {
	return list[Alert](ctx, c, call{op: "ListIPAlerts", args: args{addressArg(ip)}}, Page{})
}

// GetIPStats returns how many machines connected to an address. An address that is not known has the prevalence 0.
// Documentation page: get-ip-statistics.md.
//
//mde:op GET /api/ips/{ip}/stats roles=Ip.Read.All
func (c *Client) GetIPStats(ctx context.Context, ip netip.Addr, q StatsQuery) (*IPStats, error) {
	const op = "GetIPStats"
	stats, err := fetch[IPStats](ctx, c, q.call(call{op: op, args: args{addressArg(ip)}}))
	if err != nil {
		return nil, err
	}
	if got, err := netip.ParseAddr(stats.IPAddress); err != nil || got.Unmap() != ip.Unmap() {
		return nil, otherEntity(op, "address", ip.String(), stats.IPAddress)
	}
	return stats, nil
}

// ListDomainAlerts iterates over the alerts about a domain. There are none of a domain that is not known.
// Documentation page: get-domain-related-alerts.md.
//
//mde:op GET /api/domains/{domain}/alerts roles=Alert.ReadWrite.All,Alert.Read.All
func (c *Client) ListDomainAlerts(ctx context.Context, domain string) iter.Seq2[*Alert, error] {
	return list[Alert](ctx, c, call{op: "ListDomainAlerts", args: args{domainArg(domain)}}, Page{})
}

// ListDomainMachines iterates over the machines that connected to a domain. The service names at most 500 of them, so that
// 500 can mean more. Documentation page: get-domain-related-machines.md.
//
//mde:op GET /api/domains/{domain}/machines roles=Machine.ReadWrite.All,Machine.Read.All
func (c *Client) ListDomainMachines(ctx context.Context, domain string) iter.Seq2[*Machine, error] {
	return list[Machine](ctx, c, call{op: "ListDomainMachines", args: args{domainArg(domain)}}, Page{})
}

// GetDomainStats returns how common a domain is. One that is not known has the prevalence 0.
// Documentation page: get-domain-statistics.md.
//
//mde:op GET /api/domains/{domain}/stats roles=URL.Read.All
func (c *Client) GetDomainStats(ctx context.Context, domain string, q StatsQuery) (*DomainStats, error) {
	const op = "GetDomainStats"
	stats, err := fetch[DomainStats](ctx, c, q.call(call{op: op, args: args{domainArg(domain)}}))
	if err == nil && !strings.EqualFold(strings.TrimSuffix(stats.Host, "."), domain) {
		return nil, otherEntity(op, "domain", domain, stats.Host)
	}
	return stats, err
}

// ListUserAlerts iterates over the alerts about an account, by its name alone: user1 for user1@contoso.com and for
// contoso\user1. Accounts of several domains can have the same name. There are none of an account that is not known.
// Documentation page: get-user-related-alerts.md.
//
//mde:op GET /api/users/{user_id}/alerts roles=Alert.Read.All,Alert.ReadWrite.All
func (c *Client) ListUserAlerts(ctx context.Context, accountName string) iter.Seq2[*Alert, error] {
	return list[Alert](ctx, c, call{op: "ListUserAlerts", args: args{accountArg(accountName)}}, Page{})
}

// ListUserMachines iterates over the machines on which an account was seen, by its name alone, as ListUserAlerts.
// Documentation page: get-user-related-machines.md.
//
//mde:op GET /api/users/{user_id}/machines roles=Machine.ReadWrite.All,Machine.Read.All
func (c *Client) ListUserMachines(ctx context.Context, accountName string) iter.Seq2[*Machine, error] {
	return list[Machine](ctx, c, call{op: "ListUserMachines", args: args{accountArg(accountName)}}, Page{})
}

// Lengths of hashes in hexadecimal digits.
const (
	sha1Digits   = 40
	sha256Digits = 64
)

// fileHashArg is a file's SHA-1 or SHA-256.
func fileHashArg(hash string) arg {
	if (len(hash) != sha1Digits && len(hash) != sha256Digits) || !hexadecimal(hash) {
		return arg{hash, invalid("file hash", hash, "it must be a SHA-1 of 40 or a SHA-256 of 64 hexadecimal digits")}
	}
	return arg{value: hash}
}

// fileSHA1Arg is a file's SHA-1, where the service takes no other hash.
func fileSHA1Arg(hash string) arg {
	if len(hash) != sha1Digits || !hexadecimal(hash) {
		return arg{hash, invalid("file SHA-1", hash, "it must be 40 hexadecimal digits; GetFile finds the SHA-1 of a SHA-256")}
	}
	return arg{value: hash}
}

// addressArg is an IP address.
func addressArg(ip netip.Addr) arg {
	if !ip.IsValid() || ip.Zone() != "" {
		return arg{"", invalid("IP address", ip.String(), "it must be an IPv4 or IPv6 address without a zone")}
	}
	return arg{value: ip.Unmap().String()}
}

// domainArg is a domain in the form that DNS knows.
func domainArg(domain string) arg { return arg{domain, checkDomain(domain)} }

// checkDomain refuses what cannot be a DNS name: the name of another alphabet must come as its xn-- form, and an address
// or a whole URL is something else.
func checkDomain(domain string) error {
	const longest, longestLabel = 253, 63
	switch _, err := netip.ParseAddr(domain); {
	case domain == "":
		return invalid("domain", domain, "it is empty")
	case len(domain) > longest:
		return invalid("domain", domain, "it is longer than 253 characters")
	case err == nil:
		return invalid("domain", domain, "it is an IP address, which has calls of its own")
	}
	for label := range strings.SplitSeq(domain, ".") {
		switch {
		case strings.ContainsFunc(label, func(r rune) bool { return r > unicode.MaxASCII }):
			return invalid("domain", domain, "it must be in ASCII: write a name of another alphabet in its xn-- form")
		case strings.ContainsFunc(label, func(r rune) bool { return !idRune(r) || strings.ContainsRune("~:", r) }):
			return invalid("domain", domain, "it may contain only letters, digits, - _ and dots: give the host name, not the URL")
		case label == "" || len(label) > longestLabel:
			return invalid("domain", domain, "each part between dots must have 1 to 63 characters")
		case label[0] == '-' || label[len(label)-1] == '-':
			return invalid("domain", domain, "no part may begin or end with a hyphen")
		}
	}
	return nil
}

// accountArg is the name of an account without its domain.
func accountArg(name string) arg { return arg{name, checkAccount(name)} }

// maxAccount is how long an account name can be in Active Directory.
const maxAccount = 256

// checkAccount refuses what cannot be an account name. Windows allows other alphabets, spaces and apostrophes in one.
func checkAccount(name string) error {
	switch {
	case strings.ContainsRune(name, '@'):
		return invalid("account name", name, "the service wants the account's name alone: leave out @ and what follows")
	case strings.ContainsRune(name, '\\'):
		return invalid("account name", name, "the service wants the account's name alone: leave out the domain and the backslash")
	case name == "" || strings.Trim(name, ".") == "" || strings.Contains(name, ".."):
		return invalid("account name", name, "it is empty or has two dots in a row")
	case name != strings.TrimSpace(name):
		return invalid("account name", name, "it begins or ends with a space")
	case !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxAccount:
		return invalid("account name", name, "it is not valid UTF-8 or longer than 256 characters")
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || strings.ContainsRune(`"/[]:;|=,+*?<>%`, r) }):
		return invalid("account name", name, "it holds a character that no account name has")
	}
	return nil
}
