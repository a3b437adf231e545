package mdecore

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// check refuses what the service would refuse.
func (r CreateScanDefinitionRequest) check() error {
	if err := checkScanTargetType(r.TargetType); err != nil {
		return err
	}
	if err := checkScanTarget(r.TargetType, r.Target); err != nil {
		return err
	}
	if err := checkScanInterval(r.IntervalInHours); err != nil {
		return err
	}
	if err := checkScanType(r.ScanType); err != nil {
		return err
	}
	if err := checkLine("scan name", r.ScanName); err != nil {
		return err
	}
	if err := checkMachineID(r.ScannerAgent.MachineID); err != nil {
		return err
	}
	return r.ScanAuthenticationParams.check()
}

// check refuses what the service would refuse.
func (r UpdateScanDefinitionRequest) check() error {
	if r == (UpdateScanDefinitionRequest{}) {
		return invalid("scan definition", "", "the update changes nothing: set at least one field")
	}
	for _, field := range []struct {
		set   bool
		check func() error
	}{
		{r.ScanType != "", func() error { return checkScanType(r.ScanType) }},
		{r.ScanName != "", func() error { return checkLine("scan name", r.ScanName) }},
		{r.IntervalInHours != 0, func() error { return checkScanInterval(r.IntervalInHours) }},
		{r.TargetType != "" && r.Target == "", func() error { return checkScanTargetType(r.TargetType) }},
		{r.Target != "", func() error { return checkScanTarget(r.TargetType, r.Target) }},
		{r.ScannerAgent != nil, func() error { return checkMachineID(r.ScannerAgent.MachineID) }},
		{r.ScanAuthenticationParams != nil, func() error { return r.ScanAuthenticationParams.check() }},
	} {
		if !field.set {
			continue
		}
		if err := field.check(); err != nil {
			return err
		}
	}
	return nil
}

func checkScanType(kind AuthenticatedScanType) error {
	if kind != AuthenticatedScanNetwork {
		return invalid("scan type", string(kind), "it must be Network, the only documented one")
	}
	return nil
}

func checkScanInterval(hours int) error {
	if hours < 1 {
		return invalid("interval in hours", strconv.Itoa(hours), "it must be at least 1")
	}
	return nil
}

func checkScanTargetType(kind ScanTargetType) error {
	return checkEnum("target type", kind, ScanTargetIP, ScanTargetIPAddress, ScanTargetHostname)
}

// checkScanTarget refuses targets that are not of their type. In an update the type can be left out: then both are taken.
func checkScanTarget(kind ScanTargetType, target string) error {
	if err := checkScanTargetType(kind); kind != "" && err != nil {
		return err
	}
	for part := range strings.SplitSeq(target, ",") {
		part = strings.TrimSpace(part)
		_, notIP := netip.ParseAddr(part)
		switch {
		case notIP == nil && kind == ScanTargetHostname:
			return invalid("target", part, "it is an address, but the target type is Hostname")
		case notIP == nil:
			continue
		case kind == ScanTargetIP || kind == ScanTargetIPAddress:
			return invalid("target", part, "it must be an IP address, or several with commas between them; ranges are not documented")
		}
		if err := checkDomain(part); err != nil {
			return err
		}
	}
	return nil
}

// check refuses authentication that lacks what its method wants. It never repeats a secret.
func (p ScanAuthenticationParams) check() error {
	auth, priv := p.Type == ScanAuthAuthNoPriv || p.Type == ScanAuthAuthPriv, p.Type == ScanAuthAuthPriv
	inVault := p.KeyVaultURL != ""
	switch {
	case p.ODataType != "" && p.ODataType != SNMPAuthParams:
		return invalid("authentication kind", p.ODataType, "it must be "+SNMPAuthParams)
	case !slices.Contains([]ScanAuthType{ScanAuthCommunityString, ScanAuthNoAuthNoPriv, ScanAuthAuthNoPriv, ScanAuthAuthPriv}, p.Type):
		return invalid("authentication type", string(p.Type), "it must be CommunityString, NoAuthNoPriv, AuthNoPriv or AuthPriv")
	case inVault != (p.KeyVaultSecretName != ""):
		return invalid("Key Vault", p.KeyVaultSecretName, "its address and the name of the secret belong together")
	case inVault:
		return checkVault(p.KeyVaultURL)
	case p.Type == ScanAuthCommunityString && p.CommunityString.IsZero():
		return invalid("community string", "", "the authentication type CommunityString wants it, or a Key Vault")
	case p.Type != ScanAuthCommunityString && strings.TrimSpace(p.Username) == "":
		return invalid("user name", "", "the authentication type "+string(p.Type)+" wants it")
	case auth && !slices.Contains([]ScanAuthProtocol{ScanAuthMD5, ScanAuthSHA1}, p.AuthProtocol):
		return invalid("authentication protocol", string(p.AuthProtocol), "it must be MD5 or SHA1")
	case auth && p.AuthPassword.IsZero():
		return invalid("authentication password", "", "the authentication type "+string(p.Type)+" wants it, or a Key Vault")
	case priv && !slices.Contains([]ScanPrivProtocol{ScanPrivDES, ScanPriv3DES, ScanPrivAES}, p.PrivProtocol):
		return invalid("privacy protocol", string(p.PrivProtocol), "it must be DES, 3DES or AES")
	case priv && p.PrivPassword.IsZero():
		return invalid("privacy password", "", "the authentication type AuthPriv wants it, or a Key Vault")
	}
	return nil
}

// checkVault refuses a Key Vault's address that is none.
func checkVault(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" {
		return invalid("Key Vault", "", "its address must be like https://name.vault.azure.net, without account or query")
	}
	return nil
}
