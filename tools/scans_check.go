package tools

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

// vaults are the domains below which the Key Vaults of the clouds are. A scanner takes a token to the address that it is
// given, so that no other may be one.
func vaults() []string { return []string{".vault.azure.net", ".vault.usgovcloudapi.net"} }

// vaultSecret divides the address of a secret into the vault's and the secret's name; nothing into nothing. Its errors never
// repeat the text, which may be the very credentials that don't belong here.
func vaultSecret(address string) (vault, name string, err error) {
	if address == "" {
		return "", "", nil
	}
	bad := func(why string) (string, string, error) {
		return "", "", fmt.Errorf("secret is not the address of a secret in a Key Vault, such as https://name.vault.azure.net/secrets/snmp: %s; credentials themselves are never taken", why)
	}
	u, fault := url.Parse(address)
	if fault != nil || u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return bad("it must be an https address and nothing more")
	}
	host := strings.ToLower(u.Host)
	below := slices.ContainsFunc(vaults(), func(domain string) bool {
		own, ok := strings.CutSuffix(host, domain)
		return ok && vaultWord(own)
	})
	if !below {
		return bad("its host is not below " + strings.Join(vaults(), " or ")[1:])
	}
	name, ok := strings.CutPrefix(u.Path, "/secrets/")
	switch {
	case strings.Contains(name, "/"):
		return bad("leave out the version; Defender takes the newest")
	case !ok || !vaultWord(name):
		return bad("its path must be /secrets/ and the secret's name of letters, digits and hyphens")
	}
	return "https://" + host, name, nil
}

// vaultWord reports whether a name is as those of vaults and their secrets are.
func vaultWord(s string) bool {
	return s != "" && len(s) <= 127 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == ""
}

// maxScanTargets bounds what one approver is asked to look through.
const maxScanTargets = 200

// targetType is that of all targets; none for none.
func targetType(targets []string) (mdecore.ScanTargetType, error) {
	if len(targets) > maxScanTargets {
		return "", fmt.Errorf("%d targets are given, and one scan takes %d here", len(targets), maxScanTargets)
	}
	addresses, seen := 0, map[string]bool{}
	for _, t := range targets {
		if seen[strings.ToLower(t)] {
			return "", fmt.Errorf("target %s is named twice", quoted(t, 120))
		}
		seen[strings.ToLower(t)] = true
		ip, err := netip.ParseAddr(t)
		switch {
		case err != nil && !scanHost(t):
			return "", fmt.Errorf("target %s is neither one address nor one host name; networks and ranges are not taken", quoted(t, 120))
		case err != nil:
		case ip.Zone() != "" || ip.IsUnspecified() || ip.IsMulticast() || ip.IsLoopback() || ip == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
			return "", fmt.Errorf("target %s is not the address of one device of the network", quoted(t, 120))
		default:
			addresses++
		}
	}
	switch addresses {
	case 0:
		if len(targets) == 0 {
			return "", nil
		}
		return mdecore.ScanTargetHostname, nil
	case len(targets):
		return mdecore.ScanTargetIP, nil
	}
	return "", fmt.Errorf("targets are all addresses or all host names, and these are both")
}

// scanHost reports whether a text is a host name. Its last part has a letter, or a range like 10.0.0.1-50 would be one.
func scanHost(s string) bool {
	labels := strings.Split(strings.ToLower(s), ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return len(s) <= 253 && strings.ContainsAny(labels[len(labels)-1], "abcdefghijklmnopqrstuvwxyz")
}

// targetsOf divides the targets of a definition, which have commas between them.
func targetsOf(d *mdecore.ScanDefinition) []string {
	return strings.FieldsFunc(d.Target, func(r rune) bool { return r == ',' || r == ' ' })
}

// scanWarnings say what will be scanned with whose credentials: all of the targets, because an approver can't judge those
// that were left out, and in which networks they are.
func scanWarnings(scanner *mdecore.Machine, step scheduleStep, targets []string) []string {
	credentials := "the credentials that the scan has now"
	if step.Auth != "" {
		credentials = fmt.Sprintf("the credentials of secret %s of Key Vault %s", quoted(step.Secret, 127), quoted(step.VaultURL, 200))
	}
	out := []string{fmt.Sprintf("%s will try %s on each of %s", label(scanner), credentials, manyTargets(targets))}
	const shown = 400
	line, from, named := "", 1, targets[:min(len(targets), maxScanTargets)]
	for i, t := range named {
		if t = clean(t, 253); line != "" && len(line)+len(t) > shown {
			out = append(out, fmt.Sprintf("targets %d to %d: %s", from, i, quoted(line, 2*shown)))
			line, from = "", i+1
		}
		if line != "" {
			line += ", "
		}
		line += t
	}
	if line != "" {
		out = append(out, fmt.Sprintf("targets %d to %d: %s", from, len(named), quoted(line, 2*shown)))
	}
	if more := len(targets) - len(named); more > 0 {
		out = append(out, fmt.Sprintf("%d more targets, which were set elsewhere, are not shown here", more))
	}
	return append(out, publicTargets(targets)...)
}

// manyTargets counts targets, and addresses by network.
func manyTargets(targets []string) string {
	count, nets := map[netip.Prefix]int{}, []netip.Prefix(nil)
	for _, t := range targets {
		ip, err := netip.ParseAddr(t)
		if err != nil {
			continue
		}
		bits := 64
		if ip = ip.Unmap(); ip.Is4() {
			bits = 24
		}
		net, _ := ip.WithZone("").Prefix(bits) // the bits are right for both
		if count[net]++; count[net] == 1 {
			nets = append(nets, net)
		}
	}
	text := fmt.Sprintf("%d targets", len(targets))
	if len(targets) == 1 {
		text = "1 target"
	}
	var parts []string
	for _, net := range nets[:min(len(nets), exposureShown)] {
		parts = append(parts, fmt.Sprintf("%d in %s", count[net], net))
	}
	if more := len(nets) - exposureShown; more > 0 {
		parts = append(parts, fmt.Sprintf("the rest in %d more networks", more))
	}
	if len(parts) == 0 {
		return text
	}
	return text + " (" + strings.Join(parts, ", ") + ")"
}

// publicTargets warns of addresses that are not inside: credentials would be sent to somebody else.
func publicTargets(targets []string) []string {
	var public []string
	for _, t := range targets {
		if ip, err := netip.ParseAddr(t); err == nil && !ip.Unmap().IsPrivate() && !ip.Unmap().IsLinkLocalUnicast() {
			public = append(public, t)
		}
	}
	if len(public) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d of the targets are public addresses, which may be somebody else's: %s", len(public), quoted(strings.Join(public, ", "), 400))}
}

// canBeRead refuses arguments that Defender would refuse, or that nobody could judge.
func canBeRead(err error) error {
	if err == nil {
		return nil
	}
	return approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: %s", err.Error())
}
