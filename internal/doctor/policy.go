package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/policy"
	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/entra"
	"github.com/mde-ops/mde-ops/tools"
)

// policies reads the policy as a start does, and looks through its file as `mde-mcp policy check` does.
func (d *Doctor) policies(context.Context) []Finding {
	file := d.cfg.Policy.File
	p, err := app.LoadPolicy(d.cfg.Policy)
	if err != nil && file == "" {
		return []Finding{failure("look at MDE_APPROVER_GROUP and MDE_MAX_DEVICES", "the default policy can't be made: %v", err)}
	}
	found, wrong := d.review(file)
	if err != nil {
		if wrong == 0 {
			found = append(found, failure("look at MDE_POLICY_FILE", "%v", err))
		}
		return found
	}
	d.policy = p
	name := "the default policy"
	if file != "" {
		name = filepath.Base(file)
	}
	return append([]Finding{good("%s is read; its digest is %.12s", name, p.Digest())}, found...)
}

// review lists what the author of a policy file should know. Errors with which programs start are warnings here.
func (d *Doctor) review(file string) (found []Finding, wrong int) {
	if file == "" {
		return nil, 0
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return []Finding{failure("look at MDE_POLICY_FILE", "the policy can't be read: %v", err)}, 1
	}
	facts, err := tools.Facts()
	if err != nil {
		return []Finding{failure("", "%v", err)}, 1
	}
	known := policy.Known{Tools: facts}
	if id := d.cfg.Policy.ApproverGroup; id != "" {
		known.Approvers = approvals.Group{Name: "approvers", Slack: id}
	}
	p, all := policy.Review(filepath.Base(file), data, known)
	for _, f := range all {
		text := filepath.Base(file) + ":" + strings.TrimPrefix(f.String(), " ")
		if p == nil && f.Severity == policy.SeverityError {
			found = append(found, failure("mend the file; `mde-mcp policy check` reads it", "%s", text))
			wrong++
			continue
		}
		found = append(found, warning("mend the file; `mde-mcp policy check` reads it", "%s", text))
	}
	return found, wrong
}

// approvers says of the tools that are offered and act whether somebody can approve them, and who is asked.
func (d *Doctor) approvers(ctx context.Context) []Finding {
	var groups []approvals.Group
	denied := map[string][]string{} // tools by why
	var reasons []string
	acting := 0
	for _, t := range d.o.Tools {
		decision, asked := d.asked(t)
		if !asked {
			continue
		}
		acting++
		if decision.Outcome == approvals.Deny {
			if denied[decision.Why] == nil {
				reasons = append(reasons, decision.Why)
			}
			denied[decision.Why] = append(denied[decision.Why], t.Name)
		}
		for _, q := range decision.Quorums() {
			groups = append(groups, q.Groups()...)
		}
	}
	if acting == 0 {
		return []Finding{good("no tool that is offered acts")}
	}
	var found []Finding
	for _, why := range reasons {
		found = append(found, warning("change the policy, or leave the tools out with --exclude-tools", "policy denies %s: %s", strings.Join(denied[why], ", "), why))
	}
	return append(found, d.groups(ctx, groups)...)
}

// asked is policy's answer for a call of a tool by a verified person in Slack, on one usual device. Rules about other
// devices, people and times can answer otherwise.
func (d *Doctor) asked(t tools.Tool) (approvals.Decision, bool) {
	facts, err := tools.Facts()
	if err != nil || !t.Acts() || facts[t.Name].Through {
		return approvals.Decision{}, false
	}
	recent := approvals.Recent{}
	for _, w := range d.policy.Windows() {
		recent[w] = 0
	}
	return d.policy.Decide(approvals.Call{
		Tool: t.Name, Risk: t.Risk, Args: []byte("{}"), At: d.o.Clock(), Recent: recent,
		Requester: approvals.Requester{Person: approvals.Person{ID: "somebody@example.com"}, Verified: true, Via: approvals.ViaSlack},
	}), true
}

// groups says of each group that is asked whether anybody is in it, as far as this program can know.
func (d *Doctor) groups(ctx context.Context, all []approvals.Group) (found []Finding) {
	seen := map[string]bool{}
	for _, g := range all {
		key := fmt.Sprint(g)
		if seen[key] || g.Empty() {
			continue
		}
		seen[key] = true
		found = append(found, d.group(ctx, g))
	}
	if len(found) == 0 {
		found = append(found, good("no tool that is offered asks for approvers"))
	}
	return found
}

func (d *Doctor) group(ctx context.Context, g approvals.Group) Finding {
	name := g.Name
	if name == "" {
		name = "a group"
	}
	switch {
	case g.Role != "":
		return d.role(ctx, name, g.Role)
	case g.Slack != "":
		who := "`mde-slackbot doctor` asks Slack who is in it, because this program has no Slack token"
		if d.o.Writer {
			who = "Slack is asked below"
		}
		return good("%s is the Slack group %s: %s", name, g.Slack, who)
	}
	people := slices.Clone(g.People)
	slices.Sort(people)
	return good("%s is %d people by their names", name, len(slices.Compact(people)))
}

// role counts who holds an app role.
func (d *Doctor) role(ctx context.Context, name, role string) Finding {
	application := d.cfg.Policy.RoleAppID
	if application == "" {
		application = d.cfg.Read.ClientID
	}
	if d.cloud.Graph == "" || application == "" {
		return failure("set MDE_GRAPH_URL and MDE_ENTRA_APP_ID", "%s is the app role %q, and no Microsoft Graph or application is configured to look it up with", name, role)
	}
	signIn, err := d.cfg.Credential(d.cfg.Read)
	if err != nil {
		return failure("look at the settings of the credential", "%v", err)
	}
	look, err := entra.New(entra.Options{Graph: d.cloud.Graph, Scope: d.cloud.GraphScope, Credential: signIn, AppID: application, CAFile: d.cfg.Tenant.CAFile})
	if err != nil {
		return failure("look at MDE_ENTRA_APP_ID", "%v", err)
	}
	n, err := look.RoleSize(ctx, role)
	switch {
	case err != nil:
		return failure("give the reading application Application.Read.All, GroupMember.Read.All and User.Read.All of Microsoft Graph", "%s is the app role %q: %v", name, role, err)
	case n == 0:
		return failure("assign the role in Entra ID to people, or to a group of people", "%s is the app role %q of %s, and nobody holds it", name, role, application)
	}
	return good("%s is the app role %q, which %d people hold", name, role, n)
}
