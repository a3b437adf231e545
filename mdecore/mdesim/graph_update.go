package mdesim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// patchField says what a property of a PATCH body may be.
type patchField struct {
	values   []string // of an enum; nil for any text
	nullable bool
	list     bool // a list of texts
}

// patch is a PATCH body that was checked. Texts hold the strings, lists the
// lists; a property that is null is in texts as "".
type patch struct {
	texts map[string]string
	lists map[string][]string
}

// readPatch reads a PATCH body of Graph; the answer is what is wrong with it.
func (c *call) readPatch(known map[string]patchField) (patch, string) {
	raw := map[string]json.RawMessage{}
	if err := json.Unmarshal(c.body, &raw); err != nil {
		return patch{}, "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format."
	}
	p := patch{texts: map[string]string{}, lists: map[string][]string{}}
	for name, value := range raw {
		field, ok := known[name]
		if !ok && strings.HasPrefix(name, "@") {
			continue
		}
		if !ok {
			return p, "The property '" + name + "' cannot be updated: use " + propertyNames(known)
		}
		if fault := p.take(name, field, value); fault != "" {
			return p, fault
		}
	}
	if len(p.texts)+len(p.lists) == 0 {
		return p, "The request has no property to update: use " + propertyNames(known)
	}
	return p, ""
}

// take checks one property.
func (p patch) take(name string, field patchField, value json.RawMessage) string {
	if field.list {
		var list []string
		if err := json.Unmarshal(value, &list); err != nil || list == nil {
			return "The property '" + name + "' must be a list of strings"
		}
		p.lists[name] = list
		return ""
	}
	var text *string
	switch err := json.Unmarshal(value, &text); {
	case err != nil:
		return "The property '" + name + "' must be a string"
	case text == nil && !field.nullable:
		return "The property '" + name + "' must not be null"
	case text == nil:
		p.texts[name] = ""
		return ""
	case field.values != nil && !slices.Contains(field.values, lowerFirst(*text)):
		// The pages' own samples write some values in Pascal case.
		return "'" + *text + "' is not a value of '" + name + "': use one of " + strings.Join(field.values, ", ")
	case field.values != nil:
		p.texts[name] = lowerFirst(*text)
		return ""
	}
	p.texts[name] = *text
	return ""
}

// updateAlertV2 changes an alert (documentation: security-alert-update.md). It is
// the alert of the Defender API: a change here shows there.
func updateAlertV2(c *call) response {
	p, fault := c.readPatch(map[string]patchField{
		"status": {values: []string{"new", "inProgress", "resolved"}}, "assignedTo": {nullable: true},
		"classification": {values: graphClassifications()}, "determination": {values: graphDeterminations()},
	})
	t := c.t
	t.mu.Lock()
	i := t.findAlert(c.id)
	var effect Effect
	var after *Alert
	if i >= 0 && fault == "" {
		t.replaceAlerts(func(a *Alert) bool { return a.ID == c.id }, func(a *Alert) { t.patchAlert(a, p) })
		after = t.alerts[i]
		effect = t.note(c, Effect{Type: TypeUpdateAlertV2, MachineID: after.MachineID})
	}
	t.mu.Unlock()
	switch {
	case i < 0:
		return c.noGraphResource("alert")
	case fault != "":
		return c.graphProblem(http.StatusBadRequest, "BadRequest", fault)
	}
	resp := c.oneAlertV2(after)
	resp.effect = &effect
	return resp
}

// patchAlert applies the properties that alerts and incidents share.
func (t *Tenant) patchAlert(a *Alert, p patch) {
	now := t.now()
	a.LastUpdateTime = now
	if v, ok := p.texts["status"]; ok {
		a.resolve(upperFirst(v), now)
	}
	if v, ok := p.texts["assignedTo"]; ok {
		a.AssignedTo = Nullable(v)
	}
	if v, ok := p.texts["classification"]; ok {
		a.Classification = mdeClassification(v)
	}
	if v, ok := p.texts["determination"]; ok {
		a.Determination = mdeDetermination(v)
	}
}

// findAlert is the place of an alert; the caller holds t.mu.
func (t *Tenant) findAlert(id string) int {
	return slices.IndexFunc(t.alerts, func(a *Alert) bool { return a.ID == id })
}

func (c *call) noGraphResource(kind string) response {
	return c.graphProblem(http.StatusNotFound, "NotFound", "The "+kind+" with id '"+c.id+"' was not found")
}
