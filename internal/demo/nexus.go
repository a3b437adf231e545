package demo

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/nexus/nexussim"
)

// site is the cluster of the story: its protection is off.
const site = "edge-lab"

// nexusLines are the same story as people type it in Slack.
//
//go:embed nexus.script
var nexusLines string

// prepareSite puts something to be found on one node of the cluster, and has the report of another be cut.
func (h *house) prepareSite() {
	h.sim.Nexus.SetNode(site, "rack2compute01", func(n *nexussim.Node) {
		n.Threats = []nexussim.Threat{{
			ID: "6b1f5c4e-0d6a-4a58-9f2f-0c5b7b1f2a10", Name: "Trojan:Linux/Simulated.A", Type: "trojan", Severity: "severe", Path: "/var/tmp/x",
			Statuses: []string{"detected", "quarantined"}, At: h.clock.Now(),
		}}
	})
	h.sim.Nexus.SetNode(site, "rack2compute02", func(n *nexussim.Node) { n.Result = nexussim.ResultCut })
}

// nexusChapters are the guide for runtime protection of a Nexus cluster, from its level to its threats.
func (s *story) nexusChapters() []chapter {
	s.prepareSite()
	return []chapter{
		{"A cluster whose runtime protection is off", s.reads("nexus_get_runtime_protection", "service off", map[string]any{"cluster": site})},
		{"A scan is refused before anything is sent", s.scanTooEarly},
		{"The level is raised: one approver, because nothing is lost", s.raise},
		{"The cluster itself confirms it", s.reads("nexus_get_runtime_protection", site+" is at OnDemand", map[string]any{"cluster": site})},
		{"All nodes are scanned", s.scan},
		{"The scan has ended when the nodes say so, not when Azure does", s.scanned},
		{"The reports are collected; that a node fails is usual", s.collect},
		{"The scans of one node", s.reads("nexus_get_report", "full scan, succeeded", map[string]any{"cluster": site, "node": "r02w001", "section": "scans"})},
		{"The threats on all nodes", s.reads("nexus_threat_summary", "Trojan:Linux/Simulated.A", map[string]any{"cluster": site})},
		{"To take protection away, two have to type the cluster's name", s.lower},
		{"The audit is verified", s.auditVerified},
	}
}

// reads makes a chapter of one reading call whose answer holds a text.
func (s *story) reads(tool, want string, args map[string]any) func(context.Context) error {
	return func(ctx context.Context) error {
		ans, err := s.assistant.call(ctx, tool, args)
		if err := errors.Join(err, ans.must()); err != nil {
			return err
		}
		s.say("mcp", "%s", ans.text)
		if !strings.Contains(ans.text, want) {
			return fmt.Errorf("%s does not say %q: %s", tool, want, ans.text)
		}
		return nil
	}
}

// accepted checks how many writes Azure has accepted in all.
func (s *story) accepted(want int, text string) error {
	if got := len(s.sim.Nexus.Effects()); got != want {
		return fmt.Errorf("the clusters accepted %d writes, want %d", got, want)
	}
	s.good("%s (accepted by Azure so far: %d)", text, want)
	return nil
}

func (s *story) scanTooEarly(ctx context.Context) error {
	ans, err := s.assistant.call(ctx, "nexus_start_scan", map[string]any{"cluster": site, "reason": "first scan"})
	if err != nil {
		return err
	}
	if !ans.refused || !strings.Contains(ans.text, "nexus_set_enforcement_level") {
		return fmt.Errorf("the scan was not refused with the tool that enables it: %s", ans.text)
	}
	s.say("mcp", "%s", ans.text)
	return s.accepted(0, "nothing was sent to Azure")
}

func (s *story) raise(ctx context.Context) error {
	if err := s.approved(ctx, "nexus_set_enforcement_level", map[string]any{"cluster": site, "level": "OnDemand", "reason": "the site goes live"}); err != nil {
		return err
	}
	return s.accepted(1, "exactly one change for this approval")
}

func (s *story) scan(ctx context.Context) error {
	if err := s.approved(ctx, "nexus_start_scan", map[string]any{"cluster": site, "reason": "first scan"}); err != nil {
		return err
	}
	return s.accepted(2, "one scan for this approval")
}

// approved asks, has @bob approve, and waits for the end.
func (s *story) approved(ctx context.Context, tool string, args map[string]any) error {
	p, err := s.submitWith(ctx, tool, args)
	if err != nil {
		return err
	}
	if err := s.press(ctx, p); err != nil {
		return err
	}
	return s.toTheEnd(ctx, p)
}

func (s *story) scanned(ctx context.Context) error {
	s.clock.forward(time.Minute)
	s.say("demo", "sends the clock of everything ahead by a minute")
	return s.reads("nexus_scan_progress", "4 done", map[string]any{"cluster": site})(ctx)
}

func (s *story) collect(ctx context.Context) error {
	p, err := s.submitWith(ctx, "nexus_collect_reports", map[string]any{"cluster": site, "reason": "what did the scan find"})
	if err != nil {
		return err
	}
	if err := s.press(ctx, p); err != nil {
		return err
	}
	ans, err := s.assistant.call(ctx, "get_request", map[string]any{"id": p.id, "wait_seconds": 15})
	if err := errors.Join(err, ans.must()); err != nil {
		return err
	}
	s.say("mcp", "%s", ans.text)
	if status, err := ans.str("status"); err != nil || status != "partial" || !strings.Contains(fmt.Sprint(ans.data), "the report can't be read") {
		return errors.Join(err, fmt.Errorf("request %s ended as %q, want partial with one report that can't be read", p.id, status))
	}
	return s.accepted(6, "four nodes were asked, and three reports could be read")
}

func (s *story) lower(ctx context.Context) error {
	p, err := s.submitWith(ctx, "nexus_set_enforcement_level", map[string]any{"cluster": site, "level": "Passive", "reason": "load during the migration"})
	if err != nil {
		return err
	}
	for i, who := range []string{slacksim.Bob, slacksim.Carol} {
		if err := s.accepted(6, fmt.Sprintf("with %d of 2 approvals nothing is changed", i)); err != nil {
			return err
		}
		if err := s.patient().Press(ctx, who, slacksim.Security, p.card.TS, "Approve"); err != nil {
			return err
		}
		if err := s.confirms(ctx, who, site); err != nil {
			return err
		}
		s.say(s.workspace.DisplayName(who), "presses Approve, and types "+site+" into the window that opens")
	}
	if err := s.toTheEnd(ctx, p); err != nil {
		return err
	}
	return s.accepted(7, "exactly one change for these approvals")
}
