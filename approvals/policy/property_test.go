package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/policy"
)

// milder says in what d asks for less than o, and "" when in nothing.
func milder(d, o approvals.Decision) string {
	switch {
	case d.Outcome.Strictness() < o.Outcome.Strictness():
		return fmt.Sprintf("%s is milder than %s", d.Outcome, o.Outcome)
	case d.Outcome == approvals.Deny:
		return ""
	case d.Expires > o.Expires || d.StartBefore > o.StartBefore || d.MaxTargets > o.MaxTargets || o.ReasonRequired && !d.ReasonRequired:
		return "a time or a cap grew"
	}
	for _, q := range o.Quorums() {
		met := false
		for _, have := range d.Quorums() {
			met = met || have.From.Name == q.From.Name && len(have.Or) == len(q.Or) && have.Distinct == q.Distinct && have.Count >= q.Count
		}
		if !met && d.Outcome == approvals.Approve {
			return fmt.Sprintf("the quorum of %d of %s is gone", q.Count, q.From.Name)
		}
	}
	return ""
}

// anyRules draws a file of rules that look at one target at a time.
func anyRules(t *rapid.T) string {
	var b strings.Builder
	b.WriteString(groupsHead + "rules:\n")
	for i := range rapid.IntRange(1, 6).Draw(t, "rules") {
		outcome := rapid.SampledFrom([]string{"allow", "confirm", "approve", "deny"}).Draw(t, "outcome")
		fmt.Fprintf(&b, "- {name: r%d, outcome: %s", i, outcome)
		if outcome == "approve" {
			fmt.Fprintf(&b, ", count: %d, from: %s", rapid.IntRange(1, 3).Draw(t, "count"), rapid.SampledFrom([]string{"oncall", "approvers", "[oncall, approvers]"}).Draw(t, "from"))
		}
		if tag := rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(t, "tag"); tag != "" {
			fmt.Fprintf(&b, ", only_tags: [%s]", tag)
		}
		if when := rapid.SampledFrom([]string{
			"", `target.value == "High"`, `"b" in target.tags`, `target.os != "x" && requester.agent`, `time.business`, `recent("1h") > 2`, `target.risk == "High"`,
		}).Draw(t, "when"); when != "" {
			fmt.Fprintf(&b, ", when: '%s'", when)
		}
		fmt.Fprintf(&b, ", expires: %dm, max_targets: %d}\n", rapid.IntRange(1, 60).Draw(t, "expires"), rapid.IntRange(1, 9).Draw(t, "most"))
	}
	b.WriteString(rapid.SampledFrom([]string{
		"", "protect: [{name: p, tags: [c], then: {count: 2, from: leads}}]\n",
		"limits: {blast_radius: [{window: 2h, targets: 3, then: {count: 2, from: leads}}]}\n",
		"quiet_hours: {zone: UTC, from: \"00:00\", to: \"12:00\", then: {count: 2, from: leads}}\n",
	}).Draw(t, "section"))
	return b.String()
}

func anyTarget(t *rapid.T) approvals.Target {
	return approvals.Target{
		ID: rapid.StringMatching(`[a-f0-9]{6}`).Draw(t, "id"), Kind: "device",
		Value: rapid.SampledFrom([]string{"", "Normal", "High", "Odd"}).Draw(t, "value"),
		Risk:  rapid.SampledFrom([]string{"", "Low", "High"}).Draw(t, "risk"),
		OS:    rapid.SampledFrom([]string{"x", "y"}).Draw(t, "os"),
		Tags:  rapid.SliceOfN(rapid.SampledFrom([]string{"a", "B", "c"}), 0, 3).Draw(t, "tags"),
	}
}

func anyCall(t *rapid.T) approvals.Call {
	c := fleet(rapid.SliceOfN(rapid.Custom(anyTarget), 1, 5).Draw(t, "targets")...)
	c.At = rapid.SampledFrom([]time.Time{{}, monday(), monday().Add(12 * time.Hour)}).Draw(t, "at")
	c.Requester.Verified = rapid.Bool().Draw(t, "verified")
	c.Requester.Via = rapid.SampledFrom([]approvals.Via{approvals.ViaSlack, approvals.ViaMCP}).Draw(t, "via")
	c.Recent = rapid.SampledFrom([]approvals.Recent{
		nil, {{Length: time.Hour}: 1, {Length: 2 * time.Hour}: 1}, {{Length: time.Hour}: 3, {Length: 2 * time.Hour}: 9},
	}).Draw(t, "recent")
	return c
}

func TestAnotherTargetNeverMakesTheAnswerMilder(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := anyRules(t)
		p, err := policy.Parse("p.yaml", []byte(text), known())
		require.NoError(t, err, text)
		c := anyCall(t)
		before := p.Decide(c)
		more := c
		more.Targets = append(append([]approvals.Target{}, c.Targets...), rapid.Custom(anyTarget).Draw(t, "one more"))
		after := p.Decide(more)
		require.Empty(t, milder(after, before), "%s\n%v\n%v", text, before, after)
	})
}

func TestTheStrictestTargetWins(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := anyRules(t)
		p, err := policy.Parse("p.yaml", []byte(text), known())
		require.NoError(t, err, text)
		c := anyCall(t)
		all := p.Decide(c)
		require.Equal(t, all, p.Explain(c).Decision, "an explanation answers as Decide does")
		worst := 0
		for _, target := range c.Targets {
			one := c
			one.Targets = []approvals.Target{target}
			d := p.Decide(one)
			require.Empty(t, milder(all, d), "%s\n%v\n%v", text, all, d)
			worst = max(worst, d.Outcome.Strictness())
		}
		if !strings.Contains(text, "blast_radius") { // which counts the targets together
			require.Equal(t, worst, all.Outcome.Strictness(), text)
		}
	})
}

func TestAnUnknownFieldIsAlwaysAFault(t *testing.T) {
	t.Parallel()
	declared := map[string]string{
		"target":    " id kind name os group value health risk exposure onboarding tags last_seen ",
		"requester": " id groups via agent human verified ",
		"time":      " timestamp hour weekday business ",
	}
	rapid.Check(t, func(t *rapid.T) {
		of := rapid.SampledFrom([]string{"target", "requester", "time", "targets[0]"}).Draw(t, "object")
		field := rapid.StringMatching(`[a-z]{1,3}(_?[a-z]{1,8})?`).Draw(t, "field")
		when := fmt.Sprintf(rapid.SampledFrom([]string{"%s.%s == dyn(1)", "has(%s.%s)", "[%s.%s].size() == 1"}).Draw(t, "use"), of, field)
		_, err := policy.Parse("p.yaml", []byte(groupsHead+"rules:\n- {name: x, outcome: deny, when: '"+when+"'}\n"), known())
		fields := declared[strings.TrimSuffix(of, "s[0]")]
		if strings.Contains(fields, " "+field+" ") {
			require.NoError(t, err, when)
			return
		}
		require.ErrorContains(t, err, "p.yaml:9:", when)
	})
}
