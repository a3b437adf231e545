package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/policy"
)

// manyRules is a file of 200 rules with conditions of the usual kinds, none of which matches.
func manyRules() string {
	var b strings.Builder
	b.WriteString(groupsHead + "rules:\n")
	for i := range 200 {
		when := []string{
			fmt.Sprintf(`"team-%d" in target.tags && target.value == "High"`, i),
			fmt.Sprintf(`target.name.startsWith("srv%d-") || target.os == "Other%d"`, i, i),
			fmt.Sprintf(`time.hour > 25 && recent("1h", "contain") > %d`, i),
			fmt.Sprintf(`target.risk == "High" && target.exposure == "High" && size(target.tags) > %d`, i),
			fmt.Sprintf(`"leads" in requester.groups && requester.agent && args.n == %d`, i),
		}[i%5]
		fmt.Fprintf(&b, "- {name: rule %d, risks: [contain], outcome: approve, count: 1, when: '%s'}\n", i, when)
	}
	return b.String()
}

func manyTargets(n int) approvals.Call {
	c := fleet()
	for i := range n {
		c.Targets = append(c.Targets, approvals.Target{
			ID: fmt.Sprintf("d%d", i), Kind: "device", Name: fmt.Sprintf("host%d.example.com", i), OS: "Windows11", Value: "Normal",
			Risk: "Low", Exposure: "Low", Health: "Active", Tags: []string{"office", "berlin"},
		})
	}
	c.Recent = approvals.Recent{{Risk: approvals.RiskContain, Length: time.Hour}: 1}
	return c
}

// BenchmarkPolicy200Rules decides calls that no condition of 200 rules matches.
func BenchmarkPolicy200Rules(b *testing.B) {
	p := parsed(b, manyRules())
	for _, n := range []int{1, 100} {
		c := manyTargets(n)
		require.Equal(b, "default-contain", p.Decide(c).Rule)
		b.Run(fmt.Sprintf("devices=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Decide(c)
			}
		})
	}
}

// BenchmarkPolicyParse200Rules reads a file of 200 rules with conditions, which every start of a process does once.
func BenchmarkPolicyParse200Rules(b *testing.B) {
	text := []byte(manyRules())
	b.ReportAllocs()
	for b.Loop() {
		_, err := policy.Parse("p.yaml", text, known())
		require.NoError(b, err)
	}
}

// TestAPolicyOf200RulesAnswersWithinAMillisecond leaves room for a busy machine and the race detector.
func TestAPolicyOf200RulesAnswersWithinAMillisecond(t *testing.T) {
	p, c := parsed(t, manyRules()), manyTargets(1)
	best := time.Hour
	for range 20 {
		begun := time.Now()
		require.Equal(t, "default-contain", p.Decide(c).Rule)
		best = min(best, time.Since(begun))
	}
	require.Less(t, best, 20*time.Millisecond)
	require.Less(t, testing.AllocsPerRun(5, func() { p.Decide(c) }), 5000.0)
}
