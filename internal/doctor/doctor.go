package doctor

import (
	"context"
	"os/exec"
	"slices"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/azpipe"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/tools"
)

// Options are what a doctor looks at. Base and Tools are needed.
type Options struct {
	// Base is prepared and has opened nothing: the doctor opens what it looks at.
	Base *app.Base
	// Settings is what reading the configuration found wrong, Whole what the program's own check of it did.
	Settings, Whole error
	// Buckets open evidence and checkpoints to read them.
	Buckets app.Buckets
	// Tools are those that the program offers.
	Tools []tools.Tool
	// Identity finds out who calls; nil in a program that is not called by one person.
	Identity func(context.Context) (approvals.Requester, error)
	// Writer says that this program performs what was approved, with the writing credential.
	Writer bool
	// More makes further checks of the program's own, at the end.
	More func(*Doctor) []Check
	// Clock is the current time, and LookPath finds a program; those of the machine when nil.
	Clock    func() time.Time
	LookPath func(string) (string, error)
}

// Doctor looks at one program's surroundings. Close it.
type Doctor struct {
	o     Options
	cfg   app.Config
	cloud mdecore.Cloud

	// address is where the store is, which may hold a password, and unknown why that is not known.
	address string
	unknown error

	// What one check found out for those that need it. Only these read it, after that one has ended well.
	signIn       *azpipe.Renewable
	token, graph *azpipe.TokenInfo // graph is nil where Microsoft Graph is not asked
	writer       *azpipe.TokenInfo
	writerGraph  *azpipe.TokenInfo
	policy       approvals.Policy
	db           *store.DB
}

// New makes a doctor. Nothing is looked at yet.
func New(o Options) *Doctor {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.LookPath == nil {
		o.LookPath = exec.LookPath
	}
	d := &Doctor{o: o, cfg: o.Base.Config, cloud: o.Base.Config.Tenant.Cloud()}
	d.address, d.unknown = o.Base.StoreURL() // before the checks, because it may make the folder that some of them look into
	return d
}

// Close closes what was opened.
func (d *Doctor) Close() {
	if d.db != nil {
		_ = d.db.Close()
	}
}

// Store is the store, for checks that need NeedsStore.
func (d *Doctor) Store() *store.DB { return d.db }

// The names of the checks that others need.
const (
	settings   = "settings"
	apiHost    = "API host"
	signInHost = "sign-in host"
	credential = "credential"
	writing    = "writing credential"
	policies   = "policy"
	database   = "store"
)

// Checks are all checks for this program, in the order in which they are shown.
func (d *Doctor) Checks() []Check {
	checks := []Check{
		{Name: settings, Run: d.settings},
		{Name: "configuration", Run: d.configuration},
		{Name: "separation", Run: d.separation},
		{Name: "platform", Run: d.platform},
		{Name: signInHost, Needs: []string{settings}, Run: d.signInHost},
		{Name: apiHost, Needs: []string{settings}, Run: d.apiHost},
		{Name: credential, Needs: []string{settings, signInHost}, Within: tokenLimit, Run: d.credential},
	}
	if d.o.Identity != nil {
		checks = append(checks, Check{Name: "identity", Needs: []string{settings}, Within: tokenLimit, Run: d.identity})
	}
	checks = append(checks, Check{Name: "roles", Needs: []string{credential}, Run: d.roles})
	if d.o.Writer {
		checks = append(checks,
			Check{Name: writing, Needs: []string{settings, signInHost}, Within: tokenLimit, Run: d.writing},
			Check{Name: "writing roles", Needs: []string{writing}, Run: d.writingRoles})
	}
	checks = append(checks,
		Check{Name: "reading", Needs: []string{credential, apiHost}, Within: tokenLimit, Run: d.reading},
		Check{Name: policies, Run: d.policies},
		Check{Name: "approvers", Needs: []string{policies}, Within: tokenLimit, Run: d.approvers},
		Check{Name: database, Within: tokenLimit, Run: d.store},
		Check{Name: "noted policy", Needs: []string{policies, database}, Run: d.noted},
		Check{Name: "worker", Needs: []string{database}, Run: d.worker},
		Check{Name: "stops", Needs: []string{database}, Run: d.stops},
		Check{Name: "evidence", Run: d.evidence},
		Check{Name: "audit", Needs: []string{database}, Run: d.audit})
	if len(d.cfg.Nexus.Subscriptions) > 0 {
		checks = append(checks, Check{Name: "Nexus clusters", Needs: []string{credential}, Within: tokenLimit, Run: d.nexus})
	}
	if d.cfg.HTTP.Listen != "" {
		checks = append(checks, Check{Name: "HTTP address", Run: d.listening})
		if d.cfg.HTTP.Signed() {
			checks = append(checks, Check{Name: "HTTP sign-in", Needs: []string{settings}, Run: d.issuer})
		}
	}
	if d.o.More != nil {
		checks = append(checks, d.o.More(d)...)
	}
	return checks
}

// Good is a finding that needs nothing to be done.
func Good(what, found string) Finding { return good("%s", found).about(what) }

// Warning is a finding that somebody should look at.
func Warning(what, found, fix string) Finding { return warning(fix, "%s", found).about(what) }

// Failure is a finding that something can't work.
func Failure(what, found, fix string) Finding { return failure(fix, "%s", found).about(what) }

// SlackGroups are the Slack user groups that policy asks to approve the tools that are offered. They are known once the
// check NeedsPolicy has ended well.
func (d *Doctor) SlackGroups() (ids []string) {
	for _, t := range d.o.Tools {
		decision, _ := d.asked(t)
		for _, q := range decision.Quorums() {
			for _, g := range q.Groups() {
				if g.Slack != "" && !slices.Contains(ids, g.Slack) {
					ids = append(ids, g.Slack)
				}
			}
		}
	}
	return ids
}

// The names of checks that checks of others may need.
const (
	NeedsPolicy = policies // NeedsPolicy is the check that reads the policy.
	NeedsStore  = database // NeedsStore is the check that opens the store.
)

// tokenLimit is how long a check may take that asks for a token: the sign-in service and the Azure CLI may be slow.
const tokenLimit = 45 * time.Second
