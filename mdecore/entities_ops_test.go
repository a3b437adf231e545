package mdecore_test

import (
	"context"
	"net/netip"
	"strings"

	"github.com/mde-ops/mde-ops/mdecore"
)

const (
	fileSHA1   = "0991a395da64e1c5fbe8732ed11e6be064081d9f"
	fileSHA256 = "413c58c8267d2c8648d8f6384bacc2ae9c929b2b96578b6860b5087cd1bd6462"
)

// entityKind is how the calls about one kind of entity are tried: with a good key, and with bad ones.
type entityKind struct {
	good string
	bad  []string
}

func (k entityKind) operation(do func(ctx context.Context, c *mdecore.Client, key string) error) operation {
	op := withID(k.good, do)
	op.bad = nil
	for _, key := range k.bad {
		op.bad = append(op.bad, func(ctx context.Context, c *mdecore.Client) error { return do(ctx, c, key) })
	}
	return op
}

// badHashes are no hash at all.
func badHashes() []string {
	return append(badIDs(), fileSHA1[1:], fileSHA1+"0", "g"+fileSHA1[1:], fileSHA256[1:], "8d5b7cc9a832e21d22503057e1fec8e9", " "+fileSHA1)
}

// badDomains are other things than DNS names.
func badDomains() []string {
	return append(badIDs(), "https://example.com/", "example.com/x", "10.0.0.1", "2001:db8::1", "example.com:443", "-a.com", "a-.com", ".com", "com.",
		"bücher.example", strings.Repeat("a", 64)+".com", strings.Repeat("a.", 127)+"com", "a~b.com")
}

// badAccounts are no account names, or more than the name.
func badAccounts() []string {
	return []string{
		"", ".", "..", "a..b", "a/b", `contoso\user1`, "user1@contoso.com", "a\nb", "a\x00b", " a", "a ", "a?b", "a%2fb", `a"b`, "a;b", "\xff",
		"user\u200b1", strings.Repeat("a", 257),
	}
}

// withLookBack adds refusals of periods that the service does not have.
func withLookBack(op operation, do func(context.Context, *mdecore.Client, mdecore.StatsQuery) error) operation {
	for _, hours := range []int{-1, 721} {
		op.bad = append(op.bad, func(ctx context.Context, c *mdecore.Client) error {
			return do(ctx, c, mdecore.StatsQuery{LookBackHours: hours})
		})
	}
	return op
}

// badAddresses are none, or good on one machine only.
func badAddresses() []netip.Addr { return []netip.Addr{{}, netip.MustParseAddr("fe80::1%eth0")} }

func addressOperation(do func(context.Context, *mdecore.Client, netip.Addr) error) operation {
	op := operation{good: func(ctx context.Context, c *mdecore.Client) error {
		return do(ctx, c, netip.MustParseAddr("10.209.67.177"))
	}}
	for _, ip := range badAddresses() {
		op.bad = append(op.bad, func(ctx context.Context, c *mdecore.Client) error { return do(ctx, c, ip) })
	}
	return op
}

func entityOperations() map[string]operation {
	hash, sha1 := entityKind{fileSHA1, badHashes()}, entityKind{fileSHA1, append(badHashes(), fileSHA256)}
	domain, account := entityKind{"example.com", badDomains()}, entityKind{"user1", badAccounts()}
	fileStats := func(ctx context.Context, c *mdecore.Client, key string, q mdecore.StatsQuery) error {
		_, err := c.GetFileStats(ctx, key, q)
		return err
	}
	ipStats := func(ctx context.Context, c *mdecore.Client, ip netip.Addr, q mdecore.StatsQuery) error {
		_, err := c.GetIPStats(ctx, ip, q)
		return err
	}
	domainStats := func(ctx context.Context, c *mdecore.Client, key string, q mdecore.StatsQuery) error {
		_, err := c.GetDomainStats(ctx, key, q)
		return err
	}
	lookBack := mdecore.StatsQuery{LookBackHours: 48}
	return map[string]operation{
		"GetFile": hash.operation(func(ctx context.Context, c *mdecore.Client, key string) error {
			_, err := c.GetFile(ctx, key)
			return err
		}).answering(`{"sha1":"` + fileSHA1 + `"}`),
		"ListFileAlerts": sha1.operation(func(ctx context.Context, c *mdecore.Client, key string) error {
			return drain(c.ListFileAlerts(ctx, key))
		}),
		"ListFileMachines": sha1.operation(func(ctx context.Context, c *mdecore.Client, key string) error {
			return drain(c.ListFileMachines(ctx, key))
		}),
		"GetFileStats": withLookBack(hash.operation(func(ctx context.Context, c *mdecore.Client, key string) error {
			return fileStats(ctx, c, key, lookBack)
		}).answering(`{"sha1":"`+fileSHA1+`"}`), func(ctx context.Context, c *mdecore.Client, q mdecore.StatsQuery) error {
			return fileStats(ctx, c, fileSHA1, q)
		}),
		"ListIPAlerts": addressOperation(func(ctx context.Context, c *mdecore.Client, ip netip.Addr) error {
			return drain(c.ListIPAlerts(ctx, ip))
		}),
		"GetIPStats": withLookBack(addressOperation(func(ctx context.Context, c *mdecore.Client, ip netip.Addr) error {
			return ipStats(ctx, c, ip, lookBack)
		}).answering(`{"ipAddress":"10.209.67.177"}`), func(ctx context.Context, c *mdecore.Client, q mdecore.StatsQuery) error {
			return ipStats(ctx, c, netip.MustParseAddr("10.209.67.177"), q)
		}),
		"ListDomainAlerts": domain.operation(func(ctx context.Context, c *mdecore.Client, key string) error {
			return drain(c.ListDomainAlerts(ctx, key))
		}),
		"ListDomainMachines": domain.operation(func(ctx context.Context, c *mdecore.Client, key string) error {
			return drain(c.ListDomainMachines(ctx, key))
		}),
		"GetDomainStats": withLookBack(domain.operation(func(ctx context.Context, c *mdecore.Client, key string) error {
			return domainStats(ctx, c, key, lookBack)
		}).answering(`{"host":"example.com"}`), func(ctx context.Context, c *mdecore.Client, q mdecore.StatsQuery) error {
			return domainStats(ctx, c, "example.com", q)
		}),
		"ListUserAlerts": account.operation(func(ctx context.Context, c *mdecore.Client, key string) error {
			return drain(c.ListUserAlerts(ctx, key))
		}),
		"ListUserMachines": account.operation(func(ctx context.Context, c *mdecore.Client, key string) error {
			return drain(c.ListUserMachines(ctx, key))
		}),
	}
}

func entitySamples() map[string]any {
	return map[string]any{
		"get_file": new(mdecore.File), "get_file_stats": new(mdecore.FileStats), "get_ip_stats": new(mdecore.IPStats),
		"get_domain_stats": new(mdecore.DomainStats),
	}
}

func entityResources() map[string]any {
	return map[string]any{
		"file": mdecore.File{}, "fileStats": mdecore.FileStats{}, "ip": mdecore.IP{}, "ipStats": mdecore.IPStats{}, "domain": mdecore.Domain{},
		"domainStats": mdecore.DomainStats{}, "user": mdecore.User{},
	}
}
