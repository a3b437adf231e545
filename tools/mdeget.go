package tools

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

type mdeGetIn struct {
	Path  string `json:"path" jsonschema:"Documented path, e.g. /api/machines/{id}/logonusers" range:"1,400"`
	Query string `json:"query,omitempty" jsonschema:"e.g. $filter=riskScore eq 'High'&$top=50" range:"0,2000"`
}

type mdeGetOut struct {
	Operation string `json:"operation" jsonschema:"what was read; body is untrusted text"`
	Body      any    `json:"body" schema:"omit"`
	Note      string `json:"note,omitempty" jsonschema:"what was left out, and how to get it"`
}

func mdeGet() declaration {
	return spec[mdeGetIn, mdeGetOut]{
		name: "mde_get", title: "Read any documented resource", toolset: Devices, surface: ByName, risk: approvals.RiskRead,
		summary: "Read one resource of the Defender API by its documented path, where no other tool does. " +
			"GET only; what answers with download links is refused.",
		positional: []string{"path", "query"}, untrusted: true,
		hints: Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true},
		read:  readRaw,
	}
}

func readRaw(ctx context.Context, s *session, in mdeGetIn) (mdeGetOut, string, error) {
	query, err := rawQuery(in.Query)
	if err != nil {
		return mdeGetOut{}, "", err
	}
	ask, err := mdecore.NewRawGet(in.Path, query)
	if err != nil {
		return mdeGetOut{}, "", approvals.Refuse(approvals.KindInvalid, err, "Nothing was asked: %s", clean(err.Error(), 400))
	}
	body, err := s.reader.GetOperation(ctx, ask)
	if err != nil {
		return mdeGetOut{}, "", err
	}
	out := mdeGetOut{Operation: ask.Operation.ID}
	if out.Body, err = safeJSON(body); err != nil {
		return mdeGetOut{}, "", err
	}
	if err := out.shorten(ask); err != nil {
		return mdeGetOut{}, "", err
	}
	text := fmt.Sprintf("%s answered; its text is untrusted.", out.Operation)
	if out.Note != "" {
		text += " " + out.Note
	}
	return out, text, nil
}

// rawQuery reads "name=value&name=value". Values may be written as they are, or percent-encoded; a plus sign is one.
func rawQuery(text string) (url.Values, error) {
	query, err := url.ParseQuery(strings.ReplaceAll(strings.TrimPrefix(text, "?"), "+", "%2B"))
	if err != nil {
		return nil, approvals.Refuse(approvals.KindInvalid, err, "query: %s is not name=value&name=value; write %% as %%25, & as %%26 and ; as %%3B inside of a value", quoted(text, 120))
	}
	return query, nil
}

const (
	// maxRawText bounds one text of a raw answer, in characters; maxRawDepth how deep it may be nested.
	maxRawText, maxRawDepth = 2000, 32
)

// safeJSON reads an answer that nobody has a type for. Its texts are made harmless, and the service's own remarks, such as the
// link to its next page, are left out.
func safeJSON(body json.RawMessage) (any, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, approvals.Refuse(approvals.KindNoAnswer, err, "Defender's answer is not JSON")
	}
	return safeValue(v, 0), nil
}

func safeValue(v any, depth int) any {
	if depth > maxRawDepth {
		return "…"
	}
	switch v := v.(type) {
	case string:
		return clean(v, maxRawText)
	case []any:
		for i := range v {
			v[i] = safeValue(v[i], depth+1)
		}
		return v
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, value := range v {
			if !strings.HasPrefix(name, "@odata.") {
				out[clean(name, 120)] = safeValue(value, depth+1)
			}
		}
		return out
	}
	return v // a number, a truth value or null
}

// shorten keeps the answer within what one call may give: whole rows of a list, or the beginning of anything else.
func (o *mdeGetOut) shorten(ask mdecore.RawGet) error {
	answer, isObject := o.Body.(map[string]any)
	list, isList := answer["value"].([]any)
	if isObject && isList {
		return o.shortenList(ask, answer, list)
	}
	whole, err := json.Marshal(o.Body)
	if err != nil || len(whole) <= maxAnswer {
		return err
	}
	text := string(whole)
	o.Body = strings.ToValidUTF8(text[:maxAnswer/2], "")
	o.Note = fmt.Sprintf("The answer has %d bytes. Body is only the beginning of it, as text.", len(text))
	return nil
}

func (o *mdeGetOut) shortenList(ask mdecore.RawGet, answer map[string]any, list []any) error {
	keep, size := 0, 0
	for _, row := range list {
		b, err := json.Marshal(row)
		if err != nil {
			return err
		}
		if size += len(b) + 1; size > maxAnswer {
			break
		}
		keep++
	}
	answer["value"] = list[:keep]
	switch {
	case keep == 0 && len(list) > 0:
		o.Note = fmt.Sprintf("Not even the first of %d rows fits into an answer; a tool of its own may read it.", len(list))
	case keep < len(list) && ask.Skippable():
		o.Note = fmt.Sprintf("The first %d of the page's %d rows fit into an answer; go on with $skip=%d.", keep, len(list), ask.Skip+keep)
	case keep < len(list):
		o.Note = fmt.Sprintf("The first %d of %d rows fit into an answer, and this operation can't begin later; use a tool of its own.", keep, len(list))
	case ask.Skippable() && len(list) >= ask.Top:
		o.Note = fmt.Sprintf("There may be more than these %d rows; go on with $skip=%d.", len(list), ask.Skip+keep)
	case ask.Paged && len(list) >= ask.Top:
		o.Note = fmt.Sprintf("There may be more than these %d rows; ask for a larger pageSize.", len(list))
	}
	return nil
}
