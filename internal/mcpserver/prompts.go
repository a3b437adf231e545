package mcpserver

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/template"
	"unicode"
	"unicode/utf8"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// prompt is a way of working that a person can ask their assistant to follow. Its words are in prompts/<name>.md.
type prompt struct {
	name, title, description string
	// tool is what it can't do without: where that is not offered, neither is the prompt.
	tool string
	args []promptArg
}

type promptArg struct {
	name, description string
	required          bool
	max               int // bytes
	// fallback stands for an argument that was not given; whole says that it is a number of whole hours, within a week.
	fallback string
	hours    bool
}

// mostHours is how far back a hand-over looks at most.
const mostHours = 168

func prompts() []prompt {
	why := promptArg{name: "why", description: "Why, in words for approvers", required: true, max: 400}
	return []prompt{
		{"triage", "Triage an alert", "Find out what an alert means, and say what should be done.", "get_alert", []promptArg{
			{name: "alert", description: "Alert id", required: true, max: 100},
		}},
		{"contain", "Contain a device", "Cut a device off the network, once people have approved it.", "isolate_devices", []promptArg{
			{name: "device", description: "Device id, or its exact name", required: true, max: 200}, why,
		}},
		{"sweep_indicators", "Sweep for indicators", "Look for files, addresses and domains in the whole tenant, and ask to block what is bad.", "look_up", []promptArg{
			{name: "values", description: "Hashes, IPs, domains or URLs, one a line or with commas", required: true, max: 20_000},
			{name: "why", description: "Where they come from", max: 400},
		}},
		{"collect_evidence", "Collect evidence", "Bring investigation packages of devices into the evidence store.", "collect_package", []promptArg{
			{name: "devices", description: "Device ids or exact names, with commas", required: true, max: 4000}, why,
		}},
		{"shift_handover", "Hand over a shift", "Sum up what is open, for who comes next.", "list_requests", []promptArg{
			{name: "hours", description: "How many hours the shift had", max: 3, fallback: "8", hours: true},
		}},
	}
}

// offerPrompts adds the prompts whose tools are offered.
func (s *Server) offerPrompts(scope mcp.CacheScope) {
	some := false
	for _, p := range prompts() {
		if !s.offered[p.tool] {
			continue
		}
		if !some { // before the first, because the library would say that the list changes
			server.WithPromptCapabilities(false)(s.mcp)
			server.WithMethodCacheHints(mcp.MethodPromptsList, catalogueLife, scope)(s.mcp)
			server.WithPromptFilter(s.promptsFor)(s.mcp)
		}
		some = true
		s.mcp.AddPrompt(p.offer(), func(ctx context.Context, req mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			return s.playbook(ctx, p, req.Params.Arguments)
		})
	}
}

func (p prompt) offer() mcp.Prompt {
	options := []mcp.PromptOption{mcp.WithPromptTitle(p.title), mcp.WithPromptDescription(p.description)}
	for _, a := range p.args {
		about := []mcp.ArgumentOption{mcp.ArgumentDescription(a.description)}
		if a.required {
			about = append(about, mcp.RequiredArgument())
		}
		options = append(options, mcp.WithArgument(a.name, about...))
	}
	return mcp.NewPrompt(p.name, options...)
}

// promptsFor leaves out the prompts whose tools a principal may not use. The library asks it when prompts are listed and when
// one is got.
func (s *Server) promptsFor(ctx context.Context, all []mcp.Prompt) []mcp.Prompt {
	return slices.DeleteFunc(slices.Clone(all), func(offered mcp.Prompt) bool {
		at := slices.IndexFunc(prompts(), func(p prompt) bool { return p.name == offered.Name })
		return at >= 0 && !s.offers(ctx, prompts()[at].tool)
	})
}

//go:embed prompts/*.md
var promptFiles embed.FS

// promptWords are parsed when the first prompt is got, because starting should cost nothing for them.
var promptWords = sync.OnceValues(func() (*template.Template, error) {
	return template.New("").Option("missingkey=error").ParseFS(promptFiles, "prompts/*.md")
})

// given is the value of an argument. It stands in a prompt as a quoted text, so that it can't pass for our own words.
type given string

// String is the value in quotes, with everything escaped that a reader can't see.
func (g given) String() string { return strconv.Quote(string(g)) }

// playing is what the words of a prompt may speak of.
type playing struct {
	Args map[string]given
	has  func(tool string) bool
	step int
}

// Has reports whether the caller is offered a tool.
func (p *playing) Has(tool string) bool { return p.has(tool) }

// Step is the number of the next step: which steps there are depends on what is offered.
func (p *playing) Step() int {
	p.step++
	return p.step
}

// playbook is a prompt with its arguments.
func (s *Server) playbook(ctx context.Context, p prompt, args map[string]string) (*mcp.GetPromptResult, error) {
	values, err := p.values(args)
	if err != nil {
		return nil, err
	}
	words, err := promptWords()
	if err != nil {
		return nil, fmt.Errorf("the prompt %s can't be read", p.name)
	}
	var text strings.Builder
	if err := words.ExecuteTemplate(&text, p.name+".md", &playing{Args: values, has: func(tool string) bool { return s.offers(ctx, tool) }}); err != nil {
		s.log.ErrorContext(ctx, "a prompt could not be written", "prompt", p.name, "error", err)
		return nil, fmt.Errorf("the prompt %s could not be written; the server's log has the cause", p.name)
	}
	return mcp.NewGetPromptResult(p.description, []mcp.PromptMessage{mcp.NewPromptMessage(mcp.RoleUser, mcp.NewTextContent(text.String()))}), nil
}

// values checks the arguments of a prompt.
func (p prompt) values(args map[string]string) (map[string]given, error) {
	values := map[string]given{}
	var faults []error
	for _, a := range p.args {
		text := strings.TrimSpace(args[a.name])
		if text == "" {
			text = a.fallback
		}
		if err := a.check(text); err != nil {
			faults = append(faults, fmt.Errorf("%s %w", a.name, err))
		}
		values[a.name] = given(text)
	}
	for name := range args {
		if !slices.ContainsFunc(p.args, func(a promptArg) bool { return a.name == name }) {
			faults = append(faults, fmt.Errorf("%.60q is no argument of this prompt", name))
		}
	}
	return values, errors.Join(faults...)
}

func (a promptArg) check(text string) error {
	switch {
	case text == "" && a.required:
		return fmt.Errorf("is missing: %s", a.description)
	case len(text) > a.max:
		return fmt.Errorf("is too long: at most %d bytes", a.max)
	case !utf8.ValidString(text):
		return errors.New("is not valid UTF-8")
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }):
		return errors.New("holds a control character; remove it")
	}
	if n, err := strconv.Atoi(text); a.hours && (err != nil || n < 1 || n > mostHours) {
		return fmt.Errorf("is not a number from 1 to %d", mostHours)
	}
	return nil
}
