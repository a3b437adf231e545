package tools

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/mdecore"
)

type setScanIn struct {
	Scanner string   `json:"scanner" jsonschema:"Device that scans" form:"device"`
	ID      string   `json:"id,omitempty" jsonschema:"To change one" form:"word"`
	Name    string   `json:"name,omitempty" jsonschema:"Of a new one" form:"line" range:"1,100"`
	Targets []string `json:"targets,omitempty" jsonschema:"IPs or host names" form:"line"`
	Hours   int      `json:"hours,omitempty" jsonschema:"Interval" range:"1,8760"`
	State   string   `json:"state,omitempty" jsonschema:"Runs?" enum:"on,off"`
	Auth    string   `json:"auth,omitempty" jsonschema:"SNMP" enum:"CommunityString,NoAuthNoPriv,AuthNoPriv,AuthPriv"`
	Secret  string   `json:"secret,omitempty" jsonschema:"Its URL in a Key Vault" form:"line" range:"1,300"`
	asking
}

// scheduleStep is what a frozen step holds: all of a new definition, or what is to change.
type scheduleStep struct {
	ID         string                 `json:"id,omitempty"`
	Name       string                 `json:"name,omitempty"`
	Targets    []string               `json:"targets,omitempty"`
	TargetType mdecore.ScanTargetType `json:"target_type,omitempty"`
	Hours      int                    `json:"hours,omitempty"`
	Active     *bool                  `json:"active,omitempty"`
	Auth       mdecore.ScanAuthType   `json:"auth,omitempty"`
	VaultURL   string                 `json:"vault_url,omitempty"`
	Secret     string                 `json:"secret,omitempty"`
}

func setScan() declaration {
	return spec[setScanIn, requestView]{
		name: "set_authenticated_scan", title: "Set an authenticated scan", toolset: Exposure, surface: InToolset, risk: approvals.RiskExecute,
		summary:    "Ask to schedule or change a scan of network devices. Others approve first.",
		positional: []string{"scanner"}, untrusted: true,
		hints: Annotations{Destructive: true, OpenWorld: true},
		plan:  planSchedule, performs: atOnce(writeSchedule, scheduleDone),
	}
}

func planSchedule(ctx context.Context, s *session, in setScanIn) (approvals.Plan, error) {
	step, err := readSchedule(in)
	if err != nil {
		return approvals.Plan{}, err
	}
	devices, err := s.resolve(ctx, []string{in.Scanner})
	if err != nil {
		return approvals.Plan{}, err
	}
	scanner := devices[0]
	if err := canScan(ctx, s.reader, scanner); err != nil {
		return approvals.Plan{}, err
	}
	what, scanned, now := "new scan "+quoted(step.Name, 120), step.Targets, []string(nil)
	if step.ID != "" {
		old, err := step.toChange(ctx, s.reader, scanner)
		if err != nil {
			return approvals.Plan{}, err
		}
		what = "scan " + quoted(old.ScanName, 120) + " (id " + clean(old.ID, 60) + ")"
		now = []string{fmt.Sprintf("now it scans %s every %d hours by device %s, active %t, made by %s",
			manyTargets(targetsOf(old)), int(old.IntervalInHours), quoted(agentOf(old), 60), old.IsActive, quoted(old.CreatedBy, 80))}
		if len(scanned) == 0 {
			scanned = targetsOf(old)
		}
	}
	plan := approvals.Plan{Targets: []approvals.Target{targetOf(scanner)}, Warnings: append(now, scanWarnings(scanner, step, scanned)...)}
	args, err := canonical(step)
	plan.Preview = fmt.Sprintf("Set %s by %s: %s", what, label(scanner), step.String())
	plan.Steps = []approvals.Step{{Action: "set_scan", Target: scanner.ID, Args: args, Summary: "set " + what + ": " + step.String()}}
	return plan, err
}

// toChange is the definition that a step is to change; one that is as wanted already is refused.
func (s scheduleStep) toChange(ctx context.Context, from *mdecore.Client, scanner *mdecore.Machine) (*mdecore.ScanDefinition, error) {
	old, err := scanCalled(from.ListScanDefinitions(ctx), func(d *mdecore.ScanDefinition) bool { return strings.EqualFold(d.ID, s.ID) })
	switch {
	case err != nil:
		return nil, err
	case old == nil:
		return nil, approvals.Refuse(approvals.KindNotFound, nil, "Nothing was sent: there is no scan definition %s; list_authenticated_scans shows them", quoted(s.ID, 60))
	case s.makes(old) && strings.EqualFold(agentOf(old), scanner.ID):
		return nil, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent, because there is nothing to do: scan %s is so already", quoted(old.ScanName, 120))
	}
	return old, nil
}

// readSchedule reads the arguments, and refuses what Defender would.
func readSchedule(in setScanIn) (scheduleStep, error) {
	step := scheduleStep{
		ID: in.ID, Name: in.Name, Targets: in.Targets, Hours: in.Hours, Auth: mdecore.ScanAuthType(in.Auth),
	}
	if in.State != "" || in.ID == "" {
		active := in.State != "off"
		step.Active = &active
	}
	bad := func(format string, args ...any) (scheduleStep, error) {
		return step, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: "+format, args...)
	}
	if (in.Auth == "") != (in.Secret == "") {
		return bad("auth and secret are given together")
	}
	var err error
	if step.VaultURL, step.Secret, err = vaultSecret(in.Secret); err != nil {
		return step, canBeRead(err)
	}
	switch missing := step.missing(); {
	case in.ID == "" && missing != "":
		return bad("a new scan needs %s as well", missing)
	case in.ID != "" && in.Name != "":
		return bad("name: a definition keeps its name, by which it is found; leave it out")
	}
	step.TargetType, err = targetType(in.Targets)
	return step, canBeRead(err)
}

// missing is what a new definition lacks.
func (s scheduleStep) missing() string {
	for _, need := range []struct {
		name  string
		there bool
	}{{"name", s.Name != ""}, {"targets", len(s.Targets) > 0}, {"hours", s.Hours > 0}, {"auth", s.Auth != ""}, {"secret", s.Secret != ""}} {
		if !need.there {
			return need.name
		}
	}
	return ""
}

// String is the step in words.
func (s scheduleStep) String() string {
	var parts []string
	add := func(there bool, format string, args ...any) {
		if there {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	add(len(s.Targets) > 0, "scans %s", quoted(strings.Join(s.Targets, ", "), 400))
	add(s.Hours > 0, "every %d hours", s.Hours)
	add(s.Active != nil && *s.Active, "on")
	add(s.Active != nil && !*s.Active, "off")
	add(s.Auth != "", "%s with secret %s of %s", string(s.Auth), quoted(s.Secret, 120), quoted(s.VaultURL, 200))
	return cmp.Or(strings.Join(parts, ", "), "scanner only")
}

// canScan refuses a device that Defender does not list as a scanner.
func canScan(ctx context.Context, c *mdecore.Client, m *mdecore.Machine) error {
	for agent, err := range c.ListScanAgents(ctx) {
		if err != nil {
			return err
		}
		if strings.EqualFold(agent.MachineID, m.ID) {
			return nil
		}
	}
	return approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: %s can't scan, because it has no scanner installed; list_authenticated_scans with what=scanners shows those that can", label(m))
}

// scanCalled finds a definition; nil when there is none.
func scanCalled(all iter.Seq2[*mdecore.ScanDefinition, error], is func(*mdecore.ScanDefinition) bool) (*mdecore.ScanDefinition, error) {
	for d, err := range all {
		if err != nil {
			return nil, err
		}
		if is(d) {
			return d, nil
		}
	}
	return nil, nil
}

func agentOf(d *mdecore.ScanDefinition) string {
	if d.ScannerAgent == nil {
		return ""
	}
	return d.ScannerAgent.MachineID
}

// makes reports whether a definition is as the step wants it. Credentials can't be seen but for where they are kept.
func (s scheduleStep) makes(d *mdecore.ScanDefinition) bool {
	auth := d.ScanAuthenticationParams
	return (len(s.Targets) == 0 || slices.Equal(targetsOf(d), s.Targets)) && (s.Hours == 0 || int(d.IntervalInHours) == s.Hours) &&
		(s.Active == nil || d.IsActive == *s.Active) &&
		(s.Auth == "" || auth != nil && auth.Type == s.Auth && strings.EqualFold(strings.TrimSuffix(auth.KeyVaultURL, "/"), s.VaultURL) && auth.KeyVaultSecretName == s.Secret)
}

func scheduleOf(t worker.Task) (scheduleStep, error) {
	var step scheduleStep
	if err := json.Unmarshal(t.Step.Args, &step); err != nil {
		return step, damaged(t, err)
	}
	if step.ID == "" && (step.missing() != "" || step.Active == nil) {
		return step, damaged(t, fmt.Errorf("a new scan lacks %s", cmp.Or(step.missing(), "whether it runs")))
	}
	return step, nil
}

func writeSchedule(ctx context.Context, with hands, t worker.Task) error {
	step, err := scheduleOf(t)
	if err != nil {
		return err
	}
	auth := mdecore.ScanAuthenticationParams{Type: step.Auth, KeyVaultURL: step.VaultURL, KeyVaultSecretName: step.Secret}
	scanner := mdecore.ScannerAgentReference{MachineID: t.Step.Target}
	if step.ID == "" {
		_, err := with.writer.CreateScanDefinition(ctx, mdecore.CreateScanDefinitionRequest{
			ScanType: mdecore.AuthenticatedScanNetwork, ScanName: taggedName(t, step.Name), IsActive: *step.Active, Target: strings.Join(step.Targets, ","),
			IntervalInHours: step.Hours, TargetType: step.TargetType, ScannerAgent: scanner, ScanAuthenticationParams: auth,
		})
		return err
	}
	change := mdecore.UpdateScanDefinitionRequest{
		IsActive: step.Active, Target: strings.Join(step.Targets, ","), IntervalInHours: step.Hours, TargetType: step.TargetType, ScannerAgent: &scanner,
	}
	if step.Auth != "" {
		change.ScanAuthenticationParams = &auth
	}
	_, err = with.writer.UpdateScanDefinition(ctx, step.ID, change)
	return err
}

// taggedName ends with our tag, by which a definition is found again.
func taggedName(t worker.Task, name string) string { return clean(name, 100) + " " + t.Tag }

// scheduleDone looks for our tag in the names of definitions; a changed one is done when it is as was approved, whoever made it so.
func scheduleDone(ctx context.Context, with hands, t worker.Task, _ time.Time) (bool, error) {
	step, err := scheduleOf(t)
	if err != nil {
		return false, err
	}
	d, err := scanCalled(with.reader.ListScanDefinitions(ctx), func(d *mdecore.ScanDefinition) bool {
		if step.ID != "" {
			return strings.EqualFold(d.ID, step.ID)
		}
		return strings.HasSuffix(d.ScanName, " "+t.Tag)
	})
	if err != nil || d == nil {
		return false, err
	}
	return step.ID == "" || step.makes(d) && strings.EqualFold(agentOf(d), t.Step.Target), nil
}
