package slackbot

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/mde-ops/mde-ops/approvals"
)

// toolName is what the name of a tool looks like; anything else must not be written into a heading.
var toolName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z][a-z_]+$`) })

// asker says who asks and through what, and who else asked for the same. What an assistant calls itself is its own word,
// and is marked as that.
func asker(r approvals.Request) []string {
	q := r.Requester
	lines := []string{named(q.Person) + throughWhat(q)}
	if !q.Verified {
		lines = append(lines, "UNVERIFIED: this identity was configured, nobody proved it")
	}
	for _, p := range r.Attached {
		lines = append(lines, "Also asked for by "+named(p)+", who does not count as approver either")
	}
	return lines
}

func named(p approvals.Person) string {
	if p.Name == "" || p.Name == p.ID {
		return p.ID
	}
	return quote(p.Name) + ", " + p.ID
}

func throughWhat(q approvals.Requester) string {
	switch {
	case q.Agent != "":
		return fmt.Sprintf(" through an assistant that calls itself %s (%s)", quote(q.Agent), q.Via)
	case q.Via == approvals.ViaSlack:
		return " in Slack"
	}
	return " through " + string(q.Via)
}

func reasonOf(r approvals.Request) string {
	if strings.TrimSpace(r.Plan.Reason) == "" {
		return "(no reason given)"
	}
	return quote(r.Plan.Reason)
}

func bullets(texts []string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = "• " + t
	}
	return out
}

// targets lists what is acted on: the name, the id that decides, and what an approver weighs. What attackers can write
// stands in quotation marks.
func targets(list []approvals.Target) []string {
	var lines []string
	for i, t := range list {
		lines = append(lines, fmt.Sprintf("%d. %s", i+1, quote(t.Name)), fmt.Sprintf("    %s id %s", t.Kind, t.ID))
		if facts := factsOf(t); facts != "" {
			lines = append(lines, "    "+facts)
		}
	}
	return lines
}

func factsOf(t approvals.Target) string {
	var facts []string
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, name+" "+quote(value))
		}
	}
	add("OS", t.OS)
	add("value", t.Value)
	add("health", t.Health)
	add("risk", t.Risk)
	add("exposure", t.Exposure)
	add("onboarding", t.Onboarding)
	add("group", t.Group)
	if !t.LastSeen.IsZero() {
		facts = append(facts, "last seen "+when(t.LastSeen))
	}
	for _, tag := range t.Tags {
		add("tag", tag)
	}
	return strings.Join(facts, " · ")
}

// behind heads the list of what a plan is about in the end, when that is not what it acts on itself.
func behind(p approvals.Plan) string {
	on := p.Resumes
	words := fmt.Sprintf("%s, risk %s (%d)", toolWord(on.Tool), on.Risk, len(on.Targets))
	switch p.Tool {
	case approvals.ToolResume:
		return "What goes on: " + words
	case approvals.ToolExtend:
		return "What is undone later: " + words
	}
	return "What that is on: " + words
}

// toolWord is a tool's name for a heading of our own; whatever is no such name is not shown there.
func toolWord(name string) string {
	if !toolName().MatchString(name) {
		return "an unknown tool"
	}
	return strings.ReplaceAll(name, "_", " ")
}
