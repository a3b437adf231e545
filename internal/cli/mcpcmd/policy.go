package mcpcmd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/policy"
	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/app/mcpapp"
	"github.com/mde-ops/mde-ops/internal/cli"
	"github.com/mde-ops/mde-ops/tools"
)

func policyCommand(env cli.Env, set *cli.Settings) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "check a policy file, test it, and explain its answers",
		Args:  cli.NoWords,
		RunE:  func(*cobra.Command, []string) error { return cli.Usagef("policy needs one of check, test and explain") },
	}
	cmd.AddCommand(policyCheckCommand(env), policyTestCommand(env), policyExplainCommand(env, set))
	return cmd
}

func policyCheckCommand(env cli.Env) *cobra.Command {
	var strict bool
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: "report every fault of a policy file with its line, and what is surely not meant",
		Long: "check reads a policy file as the programs do, and looks further: rules that can never match, tools that nobody could\n" +
			"approve. Exit code 0: no errors; 1: warnings, with --strict; 2: errors, with which no program starts.",
		ValidArgsFunction: cli.YAMLFile,
		RunE: func(_ *cobra.Command, words []string) error {
			if len(words) != 1 {
				return cli.Usagef("policy check needs exactly one file")
			}
			return policyCheck(env, words[0], strict)
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "exit code 1 for warnings")
	return cmd
}

// known is the vocabulary of policies, with the approver group of the environment.
func known(env cli.Env) (policy.Known, error) {
	facts, err := tools.Facts()
	if err != nil {
		return policy.Known{}, err
	}
	k := policy.Known{Tools: facts}
	for _, kv := range env.Environ {
		if id, ok := strings.CutPrefix(kv, "MDE_APPROVER_GROUP="); ok && id != "" {
			k.Approvers = approvals.Group{Name: "approvers", Slack: id}
		}
	}
	return k, nil
}

// review reads a policy file and prints what was found. The policy is nil when it has errors.
func review(env cli.Env, file string) (*policy.Policy, []policy.Finding, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, nil, cli.Usagef("the policy can't be read: %w", err)
	}
	k, err := known(env)
	if err != nil {
		return nil, nil, err
	}
	p, found := policy.Review(filepath.Base(file), data, k)
	for _, f := range found {
		fmt.Fprintf(env.Stdout, "%s:%s\n", file, at(f))
	}
	return p, found, nil
}

// at is a finding without the file's name; one about the whole file has no line.
func at(f policy.Finding) string {
	if f.Line == 0 {
		return " " + f.String()
	}
	return f.String()
}

func count(found []policy.Finding, s policy.Severity) (n int) {
	for _, f := range found {
		if f.Severity == s {
			n++
		}
	}
	return n
}

func policyCheck(env cli.Env, file string, strict bool) error {
	p, found, err := review(env, file)
	if err != nil {
		return err
	}
	bad, warnings := count(found, policy.SeverityError), count(found, policy.SeverityWarning)
	switch {
	case p == nil || bad > 0:
		return cli.Usagef("%s has %d error(s) and %d warning(s)", file, bad, warnings)
	case warnings > 0 && strict:
		return fmt.Errorf("%s has %d warning(s)", file, warnings)
	}
	fmt.Fprintf(env.Stdout, "%s is good, with %d warning(s); its digest is %s\n", file, warnings, p.Digest())
	return nil
}

func policyTestCommand(env cli.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "test FILE [CASES]",
		Short: "try a policy file on a table of cases, by default FILE_test.yaml beside it",
		Long: "test answers every case of the table by the policy and compares. Nothing is configured and nobody is called, so it serves\n" +
			"in CI. Exit code 0: all as wanted; 1: some are not; 2: a file can't be used.",
		ValidArgsFunction: cli.YAMLFile,
		RunE: func(_ *cobra.Command, words []string) error {
			if len(words) < 1 || len(words) > 2 {
				return cli.Usagef("policy test needs a policy file, and may have a file of cases")
			}
			cases := casesBeside(words[0])
			if len(words) == 2 {
				cases = words[1]
			}
			return policyTest(env, words[0], cases)
		},
	}
}

// casesBeside is policy_test.yaml for policy.yaml.
func casesBeside(file string) string {
	ext := filepath.Ext(file)
	return strings.TrimSuffix(file, ext) + "_test" + ext
}

func policyTest(env cli.Env, file, casesFile string) error {
	data, err := os.ReadFile(casesFile)
	if err != nil {
		return cli.Usagef("the cases can't be read: %w", err)
	}
	p, _, err := review(env, file)
	if err != nil {
		return err
	}
	if p == nil {
		return cli.Usagef("%s has errors; nothing was tried", file)
	}
	cases, err := policy.ReadCases(casesFile, data)
	if err != nil {
		return cli.Usage(err)
	}
	failed := 0
	for _, r := range p.Try(cases) {
		if !r.OK() {
			failed++
		}
		fmt.Fprintf(env.Stdout, "%s: %s\n", casesFile, strings.TrimRight(r.String(), "\n"))
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d cases are not as wanted", failed, len(cases))
	}
	fmt.Fprintf(env.Stdout, "%d cases are as wanted\n", len(cases))
	return nil
}

func policyExplainCommand(env cli.Env, set *cli.Settings) *cobra.Command {
	return ownCompletion(&cobra.Command{
		Use:   "explain [--as WHO] [--via slack|mcp|shell] [--verified] [--agent NAME] [--at TIME] [--group LIST] TOOL [WORD…] [--flag value…]",
		Short: "plan a call of a tool on the tenant and say which rule answers, and why; nothing is sent",
		Long: "explain plans a call as WHO would make it, with the devices as they are, and says which rule of MDE_POLICY_FILE (or of the\n" +
			"default policy) answers for each of them and why the rules before it do not. Nothing is submitted and nothing is sent.\n" +
			"Its own flags may follow TOOL, unless TOOL has one of the same name.",
		Example:            "  mde-mcp policy explain --as alice@contoso.com --via slack --at 2026-03-01T03:00:00Z isolate_devices host01",
		DisableFlagParsing: true, // the others are the tool's
		RunE: func(cmd *cobra.Command, words []string) error {
			o, rest, err := explainFlags(words)
			if err != nil {
				return err
			}
			if o.help {
				return cmd.Help()
			}
			return explain(cmd.Context(), env, *set, o, rest)
		},
	}, explainOwn)
}

// explaining are the flags of `policy explain`.
type explaining struct {
	values         map[string]string
	groups         []string
	verified, help bool
}

// explainFlags takes the flags of `policy explain` itself out of its words.
func explainFlags(words []string) (o explaining, rest []string, err error) {
	o.values = map[string]string{}
	var tool tools.Tool
	for i := 0; i < len(words); i++ {
		name, value, inline := strings.Cut(strings.TrimPrefix(words[i], "--"), "=")
		_, toolHas := tool.Arg(strings.ReplaceAll(name, "-", "_"))
		own := strings.HasPrefix(words[i], "--") && !toolHas
		switch {
		case words[i] == "--":
			return o, append(rest, words[i:]...), nil
		case len(rest) > 1 && tool.TakesValue(rest[len(rest)-1]):
			rest = append(rest, words[i])
		case own && name == "help" || words[i] == "-h":
			o.help = true
		case own && name == "verified" && !inline:
			o.verified = true
		case own && slices.Contains([]string{"as", "via", "agent", "at", "group", "tenant"}, name):
			if !inline {
				if i++; i >= len(words) {
					return o, nil, cli.Usagef("--%s needs a value", name)
				}
				value = words[i]
			}
			if name == "group" {
				o.groups = append(o.groups, value)
			}
			o.values[name] = value
		default:
			if rest = append(rest, words[i]); len(rest) == 1 {
				tool, _ = find(words[i]) // an unknown one is refused by whoever called
			}
		}
	}
	return o, rest, nil
}

// requester is who the call is taken to be made by.
func (o explaining) requester() (approvals.Requester, error) {
	via := approvals.Via(o.values["via"])
	if via == "" {
		via = approvals.ViaShell
	}
	if !slices.Contains([]approvals.Via{approvals.ViaSlack, approvals.ViaMCP, approvals.ViaShell}, via) {
		return approvals.Requester{}, cli.Usagef("--via %q: want slack, mcp or shell", via)
	}
	who := approvals.Requester{
		Person: approvals.Person{ID: strings.ToLower(strings.TrimSpace(o.values["as"]))}, Via: via,
		Verified: o.verified || via == approvals.ViaSlack, Agent: o.values["agent"],
	}
	if who.ID == "" {
		return who, cli.Usagef("--as is not given: the e-mail address of who would make the call")
	}
	return who, cli.Usage(who.CheckID())
}

// moment is when the call is taken to be made.
func (o explaining) moment() (time.Time, error) {
	text, given := o.values["at"]
	if !given {
		return time.Now().UTC(), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, cli.Usagef("--at %q: want a time such as 2026-03-01T03:00:00Z", text)
	}
	return at, nil
}

func explain(ctx context.Context, env cli.Env, set cli.Settings, o explaining, words []string) error {
	if len(words) == 0 {
		return cli.Usagef("policy explain needs the name of a tool")
	}
	who, err := o.requester()
	if err != nil {
		return err
	}
	moment, err := o.moment()
	if err != nil {
		return err
	}
	tool, err := find(words[0])
	if err != nil {
		return err
	}
	args, err := tool.ParseWords(words[1:])
	if err != nil {
		return cli.Usagef("%w\n%s", err, usage(tool))
	}
	if tenant, given := o.values["tenant"]; given {
		set.Tenant = tenant
	}
	a, err := openFor(ctx, env, set, who)
	if err != nil {
		return err
	}
	defer a.Close()
	plan := approvals.Plan{Tool: tool.Name, Risk: tool.Risk, Args: args}
	if tool.Acts() {
		if plan, err = a.Dispatcher.Plan(ctx, tools.Call{Tool: tool.Name, Args: args, Requester: who}); err != nil {
			return err
		}
		fmt.Fprintf(env.Stdout, "%s\n", plan.Preview)
	}
	return explainPlan(ctx, env, a, plan, who, moment, o.groups)
}

// openFor opens what plans, for somebody else than the configured caller.
func openFor(ctx context.Context, env cli.Env, set cli.Settings, who approvals.Requester) (*mcpapp.App, error) {
	cfg, _, err := cli.Load(ctx, env, set, func(c app.Config) error {
		c.Identity = app.Identity{Source: "config", User: who.ID}
		return c.CheckMCP()
	})
	if err != nil {
		return nil, err
	}
	cfg.Identity = app.Identity{Source: "config", User: who.ID}
	return mcpapp.Open(ctx, cfg, mcpapp.Options{Log: quiet(env, cfg)})
}

// explainPlan prints why policy answers as it does, for every tool that it is asked about.
func explainPlan(ctx context.Context, env cli.Env, a *mcpapp.App, plan approvals.Plan, who approvals.Requester, moment time.Time, groups []string) error {
	p, ok := a.Policy.(*policy.Policy)
	if !ok {
		return errors.New("this policy can't explain itself")
	}
	windows := p.Windows()
	recent, err := a.Store.Recent(ctx, approvals.RecentQuery{Windows: windows, At: moment, Requester: who.Person})
	if err != nil {
		return err
	}
	calls := []approvals.Call{{Tool: plan.Tool, Risk: plan.Risk, Args: plan.Args, Targets: plan.Targets, Requester: who, At: moment, Recent: recent}}
	if plan.TimeBox != nil {
		end := calls[0]
		end.Tool, end.Risk = plan.TimeBox.Tool, plan.TimeBox.Risk
		calls = append(calls, end)
	}
	for i, c := range calls {
		if i > 0 {
			fmt.Fprintf(env.Stdout, "\nand because it is undone after %s, as %s:\n", plan.TimeBox.For, c.Tool)
		}
		text, d, err := explainCall(p, c, groups)
		if err != nil {
			return err
		}
		fmt.Fprint(env.Stdout, text)
		for _, why := range besides(plan, d) {
			fmt.Fprintln(env.Stdout, "and yet the call would be refused:", why)
		}
	}
	if len(calls) > 1 {
		fmt.Fprintln(env.Stdout, "\nthe stricter of the two answers counts")
	}
	if !who.Verified {
		fmt.Fprintf(env.Stdout, "%s is taken to be unverified: in no group of the file, and more approvers are asked for; --verified says otherwise\n", who.ID)
	}
	fmt.Fprintf(env.Stdout, "nothing was submitted; the policy's digest is %s\n", p.Digest())
	return nil
}

// besides is what the gate refuses whatever the rules say of the call.
func besides(plan approvals.Plan, d approvals.Decision) (why []string) {
	if d.Outcome == approvals.Deny || plan.Risk == approvals.RiskRead {
		return nil
	}
	if d.MaxTargets > 0 && len(plan.Targets) > d.MaxTargets {
		why = append(why, fmt.Sprintf("%d targets are more than the %d that one call may have", len(plan.Targets), d.MaxTargets))
	}
	if d.ReasonRequired && strings.TrimSpace(plan.Reason) == "" {
		why = append(why, "a reason is needed: --reason")
	}
	return why
}

// explainCall explains one answer. A requester who is taken to be in a list is tried as a case of `policy test`.
func explainCall(p *policy.Policy, c approvals.Call, groups []string) (string, approvals.Decision, error) {
	if len(groups) == 0 {
		e := p.Explain(c)
		return e.String(), e.Decision, nil
	}
	x := policy.Case{Call: c, Groups: groups}
	for w, n := range c.Recent {
		x.Recent = append(x.Recent, policy.RecentCase{Window: w, Count: n})
	}
	x.Want.Outcome = p.Try([]policy.Case{x})[0].Got.Outcome
	r := p.Try([]policy.Case{x})[0]
	if !r.OK() {
		return "", r.Got, cli.Usagef("--group: %s", strings.Join(r.Faults, "; "))
	}
	return r.Explanation.String(), r.Got, nil
}
