package cards

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
)

// toolName is what the name of a tool looks like; anything else must not be written into a heading.
var toolName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z][a-z_]+$`) })

// asker says who asks and through what, and who else asked for the same. What an assistant calls itself is its own word,
// and is marked as that.
func asker(r approvals.Request) []string {
	q := r.Requester
	line := Named(q.Person) + throughWhat(q)
	if q.Agent != "" {
		line = fmt.Sprintf("An assistant that calls itself %s (%s), for %s", blockkit.Quote(q.Agent), q.Via, Named(q.Person))
	}
	lines := []string{line}
	if !q.Verified {
		lines = append(lines, "UNVERIFIED: this identity was configured, nobody proved it")
	}
	for _, p := range r.Attached {
		lines = append(lines, "Also asked for by "+Named(p)+", who does not count as approver either")
	}
	return lines
}

// Named is a person by name and id; the name is their own word.
func Named(p approvals.Person) string {
	if p.Name == "" || p.Name == p.ID {
		return p.ID
	}
	return blockkit.Quote(p.Name) + ", " + p.ID
}

func throughWhat(q approvals.Requester) string {
	if q.Via == approvals.ViaSlack {
		return " in Slack"
	}
	return " through " + string(q.Via)
}

func reasonOf(r approvals.Request) string {
	if strings.TrimSpace(r.Plan.Reason) == "" {
		return "(no reason given)"
	}
	return blockkit.Quote(r.Plan.Reason)
}

// Bullets puts a dot before each text.
func Bullets(texts []string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = "• " + t
	}
	return out
}

// Targets lists what is acted on at that risk: the name, the id that decides, and what an approver weighs. What attackers
// can write stands in quotation marks.
func Targets(list []approvals.Target, risk approvals.Risk) []string {
	var lines []string
	weighed := weighs(list, risk)
	for i, t := range list {
		lines = append(lines, fmt.Sprintf("%d. %s", i+1, blockkit.Quote(t.Name)), fmt.Sprintf("    %s id %s", t.Kind, t.ID))
		if facts := factsOf(t); facts != "" {
			lines = append(lines, "    "+facts)
		}
		if weighed && t.Kind == kindDevice {
			lines = append(lines, "    "+usersOf(t)+" · "+alertsOf(t))
		}
	}
	if !weighed && risk != approvals.RiskAnnotate && slices.ContainsFunc(list, isDevice) {
		lines = append(lines, fmt.Sprintf("Who was logged on and which alerts are open was not looked up: these are more than %d devices", approvals.MaxWeighed))
	}
	return lines
}

// weighs reports whether it was looked up who was logged on to the devices and what alerts they have.
func weighs(list []approvals.Target, risk approvals.Risk) bool {
	devices := 0
	for _, t := range list {
		if t.Users != nil || t.OpenAlerts != nil {
			return true
		}
		if isDevice(t) {
			devices++
		}
	}
	return risk != approvals.RiskAnnotate && devices <= approvals.MaxWeighed
}

func isDevice(t approvals.Target) bool { return t.Kind == kindDevice }

func usersOf(t approvals.Target) string {
	switch {
	case t.Users == nil:
		return "last user not known"
	case len(t.Users) == 0:
		return "no user was logged on lately"
	}
	names := make([]string, len(t.Users))
	for i, u := range t.Users {
		names[i] = blockkit.Quote(u)
	}
	if len(names) == 1 {
		return "last user " + names[0]
	}
	return fmt.Sprintf("last user %s, before that %s", names[0], strings.Join(names[1:], " and "))
}

func alertsOf(t approvals.Target) string {
	switch {
	case t.OpenAlerts == nil:
		return "open alerts not known"
	case *t.OpenAlerts == 0:
		return "no open alerts"
	case *t.OpenAlerts == 1:
		return "1 open alert"
	}
	return fmt.Sprintf("%d open alerts", *t.OpenAlerts)
}

func factsOf(t approvals.Target) string {
	var facts []string
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, name+" "+blockkit.Quote(value))
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
