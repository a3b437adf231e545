package app

import (
	"regexp"
	"strings"
	"sync"

	"github.com/mde-ops/mde-ops/internal/azpipe"
)

// common checks what both binaries need, whatever they are.
func (c Config) common() faults {
	var bad faults
	if c.Policy.MaxDevices < 1 {
		bad.add("MDE_MAX_DEVICES: %d is not valid here: want 1 or more", c.Policy.MaxDevices)
	}
	for name, n := range map[string]int{"MDE_CALLS_PER_MINUTE": c.Tenant.PerMinute, "MDE_CALLS_PER_HOUR": c.Tenant.PerHour} {
		if c.Set[name] && n < 1 {
			bad.add("%s: %d is not valid here: want 1 or more", name, n)
		}
	}
	if _, err := c.Tenant.cloud(); err != nil {
		bad.add("%v", err)
	}
	if c.Log.Format != "text" && c.Log.Format != "json" {
		bad.add("MDE_LOG_FORMAT: %q is not valid here: want text or json", c.Log.Format)
	}
	if s := c.Identity.Source; s != "config" && s != "cli" {
		bad.add("MDE_IDENTITY: %q is not valid here: want config (MDE_USER) or cli (the Azure CLI's signed-in user)", s)
	}
	if user := strings.TrimSpace(c.Identity.User); c.Identity.User != "" && !isAddress(user) {
		bad.add("MDE_USER: %q is not valid here: want the person's e-mail address or user principal name, such as alice@contoso.com", c.Identity.User)
	}
	if g := c.Policy.ApproverGroup; g != "" && !groupID().MatchString(g) {
		bad.add("MDE_APPROVER_GROUP: %q is not the id of a Slack user group, which begins with S", g)
	}
	bad = append(bad, c.Slack.check()...)
	bad = append(bad, c.Timing.check()...)
	bad = append(bad, c.Audit.check()...)
	bad = append(bad, c.evidence()...)
	bad = append(bad, c.Nexus.check(c.Tenant)...)
	bad = append(bad, c.Telemetry.check(c.OTel)...)
	if id := c.Policy.RoleAppID; id != "" && !guidText().MatchString(id) {
		bad.add("MDE_ENTRA_APP_ID: %q is not valid here: want the client id (a GUID) of the application whose app roles approve", id)
	}
	if !c.Sim && !c.StoreOnly {
		bad = append(bad, c.realTenant()...)
	}
	return bad
}

// addressText is an e-mail address in ASCII letters: no look-alikes, and nothing that another kind of caller is called. It
// has no bounds, because they would be slow to compile at every start.
var addressText = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9.!#$%&'*+/=?^_{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$`)
})

// isAddress reports whether a text can be a person's e-mail address or user principal name.
func isAddress(s string) bool {
	local, domain, _ := strings.Cut(s, "@")
	if len(s) > 254 || len(local) > 64 {
		return false
	}
	for label := range strings.SplitSeq(domain, ".") {
		if len(label) > 63 {
			return false
		}
	}
	return addressText().MatchString(s)
}

// check keeps the order of the waits that at-most-once rests on: a write must have ended long before recovery gives up
// looking for it, and a stalled sender must have given up before its write could come late.
func (t Timing) check() faults {
	var bad faults
	if t.Poll <= 0 || t.SendLimit <= 0 || t.WriteTimeout <= 0 || t.SweepEvery <= 0 || t.Recovery <= 0 || t.RunLimit <= 0 {
		bad.add("the waits MDE_POLL_INTERVAL, MDE_SEND_LIMIT, MDE_WRITE_TIMEOUT, MDE_SWEEP_EVERY, MDE_RECOVER_AFTER and MDE_RUN_LIMIT must be above zero")
	}
	if t.Grace <= t.SendLimit+t.WriteTimeout {
		bad.add("MDE_GRACE: %s is not more than MDE_SEND_LIMIT + MDE_WRITE_TIMEOUT (%s): a write could still be under way when it is given up as unknown",
			t.Grace, t.SendLimit+t.WriteTimeout)
	}
	if t.JobTimeout <= t.WriteTimeout {
		bad.add("MDE_JOB_TIMEOUT: %s is not more than MDE_WRITE_TIMEOUT (%s)", t.JobTimeout, t.WriteTimeout)
	}
	if t.Rescue <= t.JobTimeout {
		bad.add("MDE_RESCUE_AFTER: %s is not more than MDE_JOB_TIMEOUT (%s): a running job would be taken over", t.Rescue, t.JobTimeout)
	}
	return bad
}

func (c Config) realTenant() faults {
	var bad faults
	if c.missing("MDE_TENANT_ID", c.Tenant.ID) {
		bad.add("MDE_TENANT_ID is not set: the Entra tenant's id (a GUID); or pass --tenant sim to try the simulated tenant")
	}
	bad = append(bad, c.credential(c.Read, "MDE_")...)
	if c.Write.IsSet() {
		bad = append(bad, c.credential(c.Write, "MDE_WRITE_")...)
	}
	return bad
}

// IsSet reports whether anything of the credential is configured.
func (c Credential) IsSet() bool { return c != Credential{} }

// kind is the kind of credential that is meant, or several in order: what is said, or what the other settings imply.
func (c Credential) kind() string {
	switch {
	case c.Kind != "":
		return c.Kind
	case c.CertificateFile != "":
		return azpipe.KindCertificate
	case c.TokenFile != "":
		return azpipe.KindWorkload
	case c.ClientSecret.Reveal() != "":
		return azpipe.KindSecret
	}
	return ""
}

// missing reports whether a setting was not given. One that was given and can't be used has its own fault already.
func (c Config) missing(name, value string) bool { return value == "" && !c.Set[name] }

// credential checks that a credential's settings are there. What they hold, and what a platform gives, is checked when
// the credential is made.
func (c Config) credential(cred Credential, prefix string) faults {
	var bad faults
	if cred.kind() == "" {
		if !c.Set[prefix+"CLIENT_SECRET"] { // else it was given, but could not be read
			bad.add("no credential: set %sCLIENT_ID with %sCLIENT_SECRET (or _FILE) or %sCERTIFICATE_FILE, or %sCREDENTIAL=cli, workload or managed",
				prefix, prefix, prefix, prefix)
		}
		return bad
	}
	kinds, err := azpipe.ParseKinds(cred.kind())
	if err != nil {
		bad.add("%sCREDENTIAL: %q is not valid here: want secret, certificate or cli, on a platform workload or managed, or several in the order of trying, each once, such as workload,managed,cli",
			prefix, cred.Kind)
	}
	for _, kind := range kinds {
		need := func(value, name string) {
			if c.missing(prefix+name, value) {
				bad.add("%s%s is not set: a credential of kind %q needs it", prefix, name, kind)
			}
		}
		switch kind {
		case azpipe.KindSecret:
			need(cred.ClientID, "CLIENT_ID")
			need(cred.ClientSecret.Reveal(), "CLIENT_SECRET")
		case azpipe.KindCertificate:
			need(cred.ClientID, "CLIENT_ID")
			need(cred.CertificateFile, "CERTIFICATE_FILE")
		}
	}
	return bad
}

// CheckMCP reports what is wrong with the configuration of mde-mcp. The signing key must not be there at all, not even
// in a public key's place, because a process that takes calls from an assistant must not be able to make a vote.
func (c Config) CheckMCP() error { return append(c.held(), c.caller()...).err() }

// held reports what mde-mcp must not have, or can't use.
func (c Config) held() faults {
	bad := c.noKeys()
	if _, err := c.Votes.publicKeys(); err != nil {
		bad.add("%v", err)
	}
	if c.Write.IsSet() && !c.Sim {
		bad.add("MDE_WRITE_* is set: mde-mcp must not hold the writing credential; give it to mde-slackbot only")
	}
	return bad
}

// caller reports that nothing says whose calls these are.
func (c Config) caller() faults {
	var bad faults
	if c.Identity.Source == "config" && c.Identity.User == "" && !c.Sim {
		bad.add("MDE_USER is not set: whose calls are these? Give the person's e-mail, or set MDE_IDENTITY=cli to use the Azure CLI's signed-in user")
	}
	return bad
}

// CheckLook reports what is wrong with the configuration of a command of mde-mcp that only looks into the store.
func (c Config) CheckLook() error { return c.noKeys().err() }

// noKeys reports the signing keys that are there.
func (c Config) noKeys() faults {
	var bad faults
	if c.Set["MDE_VOTE_SIGNING_KEY"] {
		bad.add("MDE_VOTE_SIGNING_KEY (or _FILE) is set: mde-mcp must not hold the key that signs votes; give it to mde-slackbot only")
	}
	if c.Set["MDE_AUDIT_SIGNING_KEY"] {
		bad.add("MDE_AUDIT_SIGNING_KEY (or _FILE) is set: mde-mcp must not hold the key that signs the audit's checkpoints; give it to mde-slackbot only")
	}
	return bad
}

// CheckWorker reports what is wrong with the configuration of a worker: everything that a claim needs.
func (c Config) CheckWorker() error {
	bad := c.worker()
	if len(c.Votes.PublicKeys) == 0 && c.missing("MDE_VOTE_SIGNING_KEY", c.Votes.SigningKey.Reveal()) {
		bad.add("MDE_VOTE_PUBLIC_KEYS is not set: the public key that `mde-slackbot keygen` printed")
	}
	return bad.err()
}

func (c Config) worker() faults {
	bad := c.botToken()
	if c.Slack.ApprovalChannel == "" {
		bad.add("MDE_SLACK_APPROVAL_CHANNEL is not set: the id (C…) of the channel for approval cards")
	}
	bad = append(bad, c.auditWorker()...)
	if c.Votes.SigningKey.Reveal() != "" || len(c.Votes.PublicKeys) > 0 {
		if _, _, err := c.Votes.SignerKeys(); err != nil {
			bad.add("%v", err)
		}
	}
	return bad
}

// CheckSlack reports what is wrong with the configuration of the bot, which is a worker with a face.
func (c Config) CheckSlack() error {
	bad := append(c.worker(), c.deliveries()...)
	if c.missing("MDE_VOTE_SIGNING_KEY", c.Votes.SigningKey.Reveal()) {
		bad.add("MDE_VOTE_SIGNING_KEY (or _FILE) is not set: make one with `mde-slackbot keygen`")
	}
	if c.Slack.ResponderGroup == "" {
		bad.add("MDE_SLACK_RESPONDER_GROUP is not set: the id (S…) of the user group whose members may use /mde; nobody may without it")
	}
	if len(c.Slack.Channels) == 0 {
		bad.add("MDE_SLACK_CHANNELS is not set: the ids (C…) of the channels in which /mde works, separated by commas")
	}
	return bad.err()
}
