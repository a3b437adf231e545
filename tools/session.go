package tools

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
)

type whoamiIn struct {
	Tool string `json:"tool,omitempty" jsonschema:"Only policy's answer for this tool" form:"word" range:"0,60"`
}

type whoamiOut struct {
	Identity    identityView `json:"identity" jsonschema:"who this face says is calling"`
	Tenant      string       `json:"tenant" schema:"omit" jsonschema:"Entra tenant id"`
	Cloud       string       `json:"cloud" schema:"omit" jsonschema:"cloud"`
	Token       tokenView    `json:"token" schema:"omit" jsonschema:"what the reading token says; never the token"`
	Stopped     []stopView   `json:"stopped" jsonschema:"what people have stopped; nothing of it acts"`
	StopProblem string       `json:"stop_problem,omitempty" schema:"omit" jsonschema:"why nobody can tell what is stopped; nothing acts then"`
	Tools       []mayView    `json:"tools" jsonschema:"what policy answers, per tool"`
	Limit       int          `json:"max_devices" schema:"omit" jsonschema:"most devices of one call"`
}

type identityView struct {
	ID       string `json:"id" jsonschema:"e-mail address or user principal name"`
	Name     string `json:"name,omitempty" schema:"omit" jsonschema:"name"`
	Verified bool   `json:"verified" jsonschema:"false when the identity is only configured"`
	Via      string `json:"via" schema:"omit" jsonschema:"mcp, slack or shell"`
	Agent    string `json:"agent,omitempty" schema:"omit" jsonschema:"the assistant, by its own word"`
}

type tokenView struct {
	TenantID  string    `json:"tenant_id,omitempty" jsonschema:"tenant the token is for"`
	AppID     string    `json:"app_id,omitempty" jsonschema:"application id"`
	UPN       string    `json:"upn,omitempty" jsonschema:"signed-in person"`
	Roles     []string  `json:"roles" jsonschema:"application permissions"`
	Scopes    []string  `json:"scopes" jsonschema:"delegated permissions"`
	ExpiresAt time.Time `json:"expires_at,omitzero" jsonschema:"when it expires"`
	Problem   string    `json:"problem,omitempty" jsonschema:"why there is no token, or what is wrong with it"`
}

type mayView struct {
	Tool   string `json:"tool" jsonschema:"tool"`
	Risk   string `json:"risk" jsonschema:"risk"`
	Policy string `json:"policy" jsonschema:"allowed, who must approve, or why denied"`
}

// sessionTools lists the toolset session.
func sessionTools() []declaration { return []declaration{whoami()} }

func whoami() declaration {
	return spec[whoamiIn, whoamiOut]{
		name: "whoami", title: "Who am I", toolset: Session, surface: Default, risk: approvals.RiskRead,
		summary: "Show who is calling, the tenant, the permissions in the token, and what policy lets this caller do with each tool.",
		hints:   Annotations{ReadOnly: true, Idempotent: true},
		read:    readWhoami,
	}
}

func readWhoami(ctx context.Context, s *session, in whoamiIn) (whoamiOut, string, error) {
	asked, err := s.named(in.Tool)
	if err != nil {
		return whoamiOut{}, "", err
	}
	out := whoamiOut{
		Identity: identityView{
			ID: s.who.ID, Name: clean(s.who.Name, 80), Verified: s.who.Verified, Via: string(s.who.Via), Agent: clean(s.who.Agent, 80),
		},
		Tenant: s.tenant, Cloud: s.cloud, Token: s.token(ctx), Tools: []mayView{}, Limit: s.maxDevices,
	}
	if out.Stopped, err = s.stopped(ctx); err != nil { // whoami answers all the same
		out.Stopped, out.StopProblem = []stopView{}, clean(err.Error(), 300)
	}
	for _, t := range asked {
		if s.borrowers[t.Name] { // policy is never asked about it
			out.Tools = append(out.Tools, mayView{Tool: t.Name, Risk: string(t.Risk), Policy: "asked as the tool that it makes a plan of"})
			continue
		}
		for _, risk := range t.info().Risks() {
			a, err := s.gate.Decide(ctx, approvals.Call{Tool: t.Name, Risk: risk, Requester: s.who})
			if err != nil {
				return whoamiOut{}, "", err
			}
			out.Tools = append(out.Tools, mayView{
				Tool: t.Name, Risk: string(risk), Policy: inWords(a.Outcome, a.Quorums(), a.Rule, a.Why),
			})
		}
	}
	return out, out.text(), nil
}

// named is the tool of that name, or all for "".
func (h *house) named(name string) ([]Tool, error) {
	if name == "" {
		return h.tools, nil
	}
	names := make([]string, len(h.tools))
	for i, t := range h.tools {
		if t.Name == name {
			return h.tools[i : i+1], nil
		}
		names[i] = t.Name
	}
	return nil, approvals.Refuse(approvals.KindInvalid, nil, "there is no tool %s%s", quoted(name, 60), didYouMean(name, names))
}

// token says what is known of the token. A token that can't be had is an answer here and no failure: whoami is what people
// call to find out why nothing works.
func (h *house) token(ctx context.Context) tokenView {
	v := tokenView{Roles: []string{}, Scopes: []string{}}
	if h.tokenInfo == nil {
		v.Problem = "this face can't inspect its token"
		return v
	}
	info, err := h.tokenInfo(ctx)
	if err != nil {
		v.Problem = clean(err.Error(), 600)
		return v
	}
	v.TenantID, v.AppID, v.UPN, v.ExpiresAt = info.TenantID, info.AppID, info.UPN, info.ExpiresAt
	v.Roles, v.Scopes = append(v.Roles, info.Roles...), append(v.Scopes, info.Scopes...)
	if !strings.EqualFold(info.TenantID, h.tenant) {
		v.Problem = fmt.Sprintf("the token is for tenant %s, the configuration says %s", quoted(info.TenantID, 60), h.tenant)
	}
	return v
}

func (o whoamiOut) text() string {
	sure := "verified"
	if !o.Identity.Verified {
		sure = "not verified"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s, via %s) on tenant %s, cloud %s.", o.Identity.ID, sure, o.Identity.Via, o.Tenant, o.Cloud)
	if o.Token.Problem != "" {
		b.WriteString(" Token: " + o.Token.Problem + ".")
	} else {
		fmt.Fprintf(&b, " Token: %s, until %s.", strings.Join(append(o.Token.Roles, o.Token.Scopes...), " "), o.Token.ExpiresAt.UTC().Format(time.RFC3339))
	}
	if o.StopProblem != "" {
		b.WriteString("\nWhat is stopped is not known, and nothing acts before it is: " + o.StopProblem)
	}
	for _, stop := range o.Stopped {
		fmt.Fprintf(&b, "\nStopped: %s. Approvers lift it in Slack: /mde lift %s", stop.words(), stop.Scope)
	}
	for i, t := range o.Tools {
		name := t.Tool
		if i > 0 && o.Tools[i-1].Tool == name {
			name += " with risk " + t.Risk // some of its plans have a higher one
		}
		fmt.Fprintf(&b, "\n- %s: %s", name, t.Policy)
	}
	return b.String()
}
