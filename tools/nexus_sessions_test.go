package tools

import (
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mde-ops/mde-ops/internal/simulate"
	"github.com/mde-ops/mde-ops/nexus/nexussim"
)

// nexusWords are what sessions about Nexus clusters say besides:
//
//	cluster NAME KEY VALUE        changes a cluster by somebody else's hand: level, connection or provisioning
//	node CLUSTER NODE KEY VALUE   changes a node: power, ready, level, health, result, threat (its name), machine, or edr none
//	azurefault KIND PATH [METHOD [STATUS [SKIP]]]
//	                              a request to that path of Azure goes wrong
//	azure N                       fails unless Azure has accepted so many writes
func (s *sitting) nexusWords() map[string]word {
	return map[string]word{
		"cluster": always(3, func(ts *testscript.TestScript, args []string) {
			s.Nexus.SetCluster(args[0], func(c *nexussim.Cluster) {
				field(ts, map[string]*string{"level": &c.Level, "connection": &c.Connection, "provisioning": &c.Provisioning}, args[1:])
			})
		}),
		"node": always(4, func(ts *testscript.TestScript, args []string) {
			s.Nexus.SetNode(args[0], args[1], func(n *nexussim.Node) {
				if args[2] == "edr" {
					n.Unknown = args[3] == "none"
					return
				}
				if args[2] == "threat" {
					n.Threats = append(n.Threats, nexussim.Threat{
						ID: "77777777-0d6a-4a58-9f2f-0c5b7b1f2a10", Name: args[3], Type: "trojan", Severity: "high", Path: "/tmp/x", Statuses: []string{"detected"},
						At: s.Clock.Now().Add(-time.Hour),
					})
					return
				}
				field(ts, map[string]*string{
					"power": &n.Power, "ready": &n.Ready, "level": &n.Level, "health": &n.Health, "result": (*string)(&n.Result), "machine": &n.Machine,
				}, args[2:])
			})
		}),
		"azurefault": always(2, s.azureFault),
		"azure": always(1, func(ts *testscript.TestScript, args []string) {
			if n := strconv.Itoa(len(s.Nexus.Effects())); n != args[0] {
				ts.Fatalf("Azure has accepted %s writes", n)
			}
		}),
	}
}

// field sets one of several fields.
func field(ts *testscript.TestScript, fields map[string]*string, args []string) {
	to, ok := fields[args[0]]
	if !ok {
		ts.Fatalf("there is no %s", args[0])
	}
	*to = args[1]
}

func (s *sitting) azureFault(ts *testscript.TestScript, args []string) {
	f := simulate.Fault{Kind: simulate.FaultKind(args[0]), Path: args[1]}
	if len(args) > 2 {
		f.Method = args[2]
	}
	for i, number := range []*int{&f.Status, &f.Skip} {
		if len(args) > 3+i {
			n, err := strconv.Atoi(args[3+i])
			ts.Check(err)
			*number = n
		}
	}
	ts.Check(f.Check())
	s.Nexus.Fail(f)
}
