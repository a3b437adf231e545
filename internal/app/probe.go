package app

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/azpipe"
)

var (
	channelID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[CGD][A-Z0-9]{2,30}$`) })
	groupID   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^S[A-Z0-9]{2,30}$`) })
)

// Probe reports what can be found wrong without the network: credentials that can't be made, files that can't be read, a
// store that can't be named. It is what --check-config does beyond the checks of every start.
func (c Config) Probe() error {
	if c.Sim {
		return nil
	}
	var bad faults
	for prefix, cred := range map[string]Credential{"MDE_": c.Read, "MDE_WRITE_": c.Write} {
		if !cred.IsSet() || cred.kind() == "" || len(c.credential(cred, prefix)) > 0 {
			continue // not used, or its faults are named already
		}
		if _, err := azpipe.NewCredential(c.credentialConfig(cred)); err != nil {
			bad.add("%s*: %s", prefix, strings.ReplaceAll(err.Error(), "\n", "; "))
		}
	}
	if url := c.Store.Reveal(); url != "" {
		if err := store.CheckURL(url); err != nil {
			bad.add("MDE_STORE: %v", err)
		}
	}
	bad = append(bad, c.HTTP.probe()...)
	slices.Sort(bad)
	return bad.err()
}

// Notes are things that are allowed and that a person who sets this up may not have meant.
func (c Config) Notes() []string {
	var notes []string
	if cloud, err := c.Tenant.cloud(); err == nil && !c.Sim {
		notes = append(notes, fmt.Sprintf("the cloud is %s: API %s, sign-in %s, tokens for %s, Graph %s", cloud.Name, cloud.Endpoint, cloud.Authority, cloud.Scope, cloud.Graph))
	}
	if c.Tenant.ID != "" && !guidText().MatchString(c.Tenant.ID) && !c.Sim {
		notes = append(notes, fmt.Sprintf("MDE_TENANT_ID: %q is not a tenant's id (a GUID); a domain of the tenant signs in, but every program has to use the same", c.Tenant.ID))
	}
	if c.Policy.File == "" && c.Policy.ApproverGroup == "" && !c.Sim {
		notes = append(notes, "MDE_APPROVER_GROUP is not set and there is no policy file: everything that needs approval is refused")
	}
	if c.Slack.exposed() {
		notes = append(notes, "MDE_SLACK_HTTP_ADDR: "+c.Slack.HTTPAddr+" speaks no TLS and other machines may reach it: only the proxy that does should")
	}
	for _, name := range slices.Sorted(maps.Keys(c.SecretFiles)) {
		info, err := os.Stat(c.SecretFiles[name])
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			notes = append(notes, fmt.Sprintf("%s: %s can be read by others (mode %04o): make it 0600", name, c.SecretFiles[name], info.Mode().Perm()))
		}
	}
	return notes
}
