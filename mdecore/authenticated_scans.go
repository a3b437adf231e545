package mdecore

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"regexp"
	"strings"
	"sync"
)

// ListScanDefinitions iterates over the definitions of authenticated scans, without their secrets.
// Documentation page: get-all-scan-definitions.md.
//
//mde:op GET /api/DeviceAuthenticatedScanDefinitions roles=Machine.Read.All
func (c *Client) ListScanDefinitions(ctx context.Context) iter.Seq2[*ScanDefinition, error] {
	return func(yield func(*ScanDefinition, error) bool) {
		for definition, err := range list[ScanDefinition](ctx, c, call{op: "ListScanDefinitions", secrets: []Secret{}}, Page{}) {
			if err != nil {
				yield(nil, hideSecrets(err))
				return
			}
			if !yield(definition.withoutSecrets(), nil) {
				return
			}
		}
	}
}

// ListScanAgents iterates over the machines that can scan. Documentation page: get-all-scan-agents.md.
//
//mde:op GET /api/DeviceAuthenticatedScanAgents roles=Machine.Read.All
func (c *Client) ListScanAgents(ctx context.Context) iter.Seq2[*ScanAgent, error] {
	return list[ScanAgent](ctx, c, call{op: "ListScanAgents"}, Page{})
}

// scanAgentAnswer is an agent as GetScanAgent gets it: alone, or in a list of one as the page shows.
type scanAgentAnswer struct {
	ScanAgent
	Value []ScanAgent `json:"value"`
}

// GetScanAgent returns a machine that can scan, by its agent id or its machine id. An answer with another one, or with
// several, is an error. Documentation page: Get-agent-details.md.
//
//mde:op GET /api/DeviceAuthenticatedScanAgents/{agent_id} roles=Machine.Read.All
func (c *Client) GetScanAgent(ctx context.Context, id string) (*ScanAgent, error) {
	const op = "GetScanAgent"
	answer, err := fetch[scanAgentAnswer](ctx, c, call{op: op, args: args{idArg("scan agent id", id)}})
	if err != nil {
		return nil, err
	}
	agent := answer.ScanAgent
	if len(answer.Value) == 1 {
		agent = answer.Value[0]
	}
	if len(answer.Value) > 1 || (!strings.EqualFold(agent.ID, id) && !strings.EqualFold(agent.MachineID, id)) {
		return nil, otherEntity(op, "scan agent", id, agent.ID)
	}
	return &agent, nil
}

// GetScanHistoryByDefinition iterates over the last runs of definitions. The service pages by top and skip.
// Documentation page: Get-scan-history-by-definition.md.
//
//mde:op POST /api/DeviceAuthenticatedScanDefinitions/GetScanHistoryByScanDefinitionId roles=Machine.Read.All
func (c *Client) GetScanHistoryByDefinition(ctx context.Context, definitionIDs []string, page Page) iter.Seq2[*ScanHistoryByDefinition, error] {
	what := call{
		op: "GetScanHistoryByDefinition", body: ScanHistoryByDefinitionRequest{definitionIDs}, invalid: checkIDs("scan definition id", definitionIDs),
	}
	return list[ScanHistoryByDefinition](ctx, c, Query{Page: page}.call(what), page)
}

// GetScanHistoryBySession iterates over runs with their targets, by the runs' ids.
// Documentation page: Get-scan-history-by-session.md.
//
//mde:op POST /api/DeviceAuthenticatedScanDefinitions/GetScanHistoryBySessionId roles=Machine.Read.All
func (c *Client) GetScanHistoryBySession(ctx context.Context, sessionIDs []string) iter.Seq2[*ScanHistoryBySession, error] {
	return list[ScanHistoryBySession](ctx, c, call{
		op: "GetScanHistoryBySession", body: ScanHistoryBySessionRequest{sessionIDs}, invalid: checkIDs("session id", sessionIDs),
	}, Page{})
}

// CreateScanDefinition makes a definition and returns it, without its authentication. An answer without an id is an error
// of uncertain outcome. Documentation page: add-a-new-scan-definition.md.
//
//mde:op POST /api/DeviceAuthenticatedScanDefinitions roles=Machine.ReadWrite.All
func (c *Client) CreateScanDefinition(ctx context.Context, req CreateScanDefinitionRequest) (*ScanDefinition, error) {
	const op = "CreateScanDefinition"
	fault := req.check()
	req.ScanAuthenticationParams = req.ScanAuthenticationParams.complete()
	definition, err := send[ScanDefinition](ctx, c, call{op: op, body: req, secrets: req.ScanAuthenticationParams.secrets(), invalid: fault})
	if err != nil {
		return nil, err
	}
	if definition.ID == "" {
		return nil, &Error{Op: op, Message: "the service accepted the request but named no id: look whether the definition is listed"}
	}
	return definition.withoutSecrets(), nil
}

// UpdateScanDefinition changes a definition and returns it, without its authentication. An answer about another
// definition is an error of uncertain outcome. Documentation page: add-a-new-scan-definition.md.
//
//mde:op PATCH /api/DeviceAuthenticatedScanDefinitions/{scan_definition_id} roles=Machine.ReadWrite.All
func (c *Client) UpdateScanDefinition(ctx context.Context, id string, req UpdateScanDefinitionRequest) (*ScanDefinition, error) {
	const op = "UpdateScanDefinition"
	fault := req.check()
	secrets := []Secret{}
	if req.ScanAuthenticationParams != nil {
		auth := req.ScanAuthenticationParams.complete()
		req.ScanAuthenticationParams, secrets = &auth, auth.secrets()
	}
	definition, err := send[ScanDefinition](ctx, c, call{op: op, args: args{idArg("scan definition id", id)}, body: req, secrets: secrets, invalid: fault})
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(definition.ID, id) {
		return nil, otherEntity(op, "scan definition", id, definition.ID)
	}
	return definition.withoutSecrets(), nil
}

// maxScanBatch is our own limit: the page states none.
const maxScanBatch = 100

// BatchDeleteScanDefinitions removes any number of definitions, at most 100 in one call. The page does not say what the
// service answers, so any success counts. Results and error are as those of BatchUpdateAlerts.
// Documentation page: add-a-new-scan-definition.md.
//
//mde:op POST /api/DeviceAuthenticatedScanDefinitions/BatchDelete roles=Machine.ReadWrite.All
func (c *Client) BatchDeleteScanDefinitions(ctx context.Context, ids []string) ([]ItemResult, error) {
	const op = "BatchDeleteScanDefinitions"
	if err := checkIDs("scan definition id", ids); err != nil {
		return nil, refuse(op, err)
	}
	return bulk[string]{
		op: op, size: maxScanBatch, id: func(id string) string { return id }, fold: true,
		send: func(ctx context.Context, batch []string) (map[string]error, error) {
			return nil, c.write(ctx, call{op: op, body: BatchDeleteScanDefinitionsRequest{batch}}, nil)
		},
	}.run(ctx, ids)
}

// complete names the kind of authentication, when the caller did not.
func (p ScanAuthenticationParams) complete() ScanAuthenticationParams {
	if p.ODataType == "" {
		p.ODataType = SNMPAuthParams
	}
	return p
}

// secretProperty finds the secrets of a definition in an answer, also in one that was cut.
var secretProperty = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)("(?:communityString|authPassword|privPassword)"\s*:\s*)("(?:[^"\\]|\\.)*"?|\[[^\]]*\]?|\{[^}]*\}?|[^",}\s]+)`)
})

// hideSecrets takes secrets out of what the service said: it sends the passwords of scans, and may repeat in a refusal
// what it was sent. known are the secrets of the request.
func hideSecrets(err error, known ...Secret) error {
	var failed *Error
	if !errors.As(err, &failed) {
		return err
	}
	hide := func(text string) string {
		text = secretProperty().ReplaceAllString(text, `$1"[secret]"`)
		for _, s := range known {
			if s.IsZero() {
				continue
			}
			quoted, _ := json.Marshal(s) // a text can always be encoded
			text = strings.ReplaceAll(text, strings.Trim(string(quoted), `"`), "[secret]")
			text = strings.ReplaceAll(text, *s.value, "[secret]")
		}
		return text
	}
	failed.Message, failed.Body = hide(failed.Message), []byte(hide(string(failed.Body)))
	return err
}
