package mdesim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// importResult is what became of one indicator of an import, in the API's own
// shape (documentation: import-ti-indicators.md).
type importResult struct {
	ID            Nullable `json:"id"`
	Indicator     string   `json:"indicator"`
	IsFailed      bool     `json:"isFailed"`
	FailureReason Nullable `json:"failureReason"`
}

// batch400 refuses an empty or too large batch.
func batch400(name string, count int) *fault400 {
	switch {
	case count == 0:
		return &fault400{"MissingRequiredParameter", "The required parameter '" + name + "' is missing"}
	case count > maxIndicatorBatch:
		return &fault400{"MaximumBatchSizeExceeded", fmt.Sprintf("Maximum batch size exceeded. Received: %d, allowed: %d", count, maxIndicatorBatch)}
	}
	return nil
}

// importIndicators makes or changes up to 500 indicators (documentation:
// import-ti-indicators.md). A body that cannot be read is refused as a whole; a
// value that is not valid fails alone.
func importIndicators(c *call) response {
	raw, bad := c.object("Indicators")
	var items []map[string]json.RawMessage
	if bad == nil {
		bad = property400(raw, "Indicators", &items, "a list of indicators")
	}
	if bad == nil {
		bad = batch400("Indicators", len(items))
	}
	orders := make([]indicatorOrder, len(items))
	known := append(indicatorTexts(), "rbacGroupNames", "generateAlert")
	for at, item := range items {
		for name := range item {
			if bad == nil && !slices.Contains(known, name) {
				bad = &fault400{"InvalidRequestBody", "The property '" + name + "' does not exist in an indicator; names are case-sensitive: " + strings.Join(known, ", ")}
			}
		}
		if bad == nil {
			orders[at], bad = readIndicator(item)
		}
	}
	if bad != nil {
		return c.bad(bad)
	}
	results, first := c.applyIndicators(orders)
	resp := c.list("Collection(microsoft.windowsDefenderATP.api.ImportIndicatorResult)", results, "")
	resp.effect = first
	return resp
}

// applyIndicators makes or changes indicators one by one; each that works leaves
// an effect.
func (c *call) applyIndicators(orders []indicatorOrder) (results []importResult, first *Effect) {
	c.t.mu.Lock()
	defer c.t.mu.Unlock()
	now := c.t.now()
	for _, o := range orders {
		var i *Indicator
		bad := o.check(now)
		if bad == nil {
			i, bad = c.applyIndicator(o)
		}
		result := importResult{Indicator: o.values["indicatorValue"]}
		if bad != nil {
			result.IsFailed, result.FailureReason = true, Nullable(bad.code+": "+bad.message)
		} else {
			result.ID = Nullable(i.ID)
			if effect := c.noteIndicator(TypeImportIndicator, i); first == nil {
				first = effect
			}
		}
		results = append(results, result)
	}
	return results, first
}

// deleteIndicator deletes an indicator (documentation: delete-ti-indicator-by-id.md).
func deleteIndicator(c *call) response { return c.answerDrop([]string{c.id}) }

// deleteIndicators deletes up to 500 indicators, or none (documentation:
// batch-delete-ti-indicators.md).
func deleteIndicators(c *call) response {
	raw, bad := c.object("IndicatorIds")
	var ids []string
	if bad == nil {
		bad = property400(raw, "IndicatorIds", &ids, "a list of strings")
	}
	if bad == nil {
		bad = batch400("IndicatorIds", len(ids))
	}
	for _, id := range ids {
		if bad == nil && (id == "" || strings.Trim(id, "0123456789") != "") {
			bad = &fault400{"InvalidInput", "'" + id + "' is not an indicator id"}
		}
	}
	if bad != nil {
		return c.bad(bad)
	}
	return c.answerDrop(ids)
}

// answerDrop deletes indicators and answers how that went.
func (c *call) answerDrop(ids []string) response {
	status, code, message, effect := c.tryDrop(ids)
	if effect == nil {
		return c.t.problem(status, code, message)
	}
	resp := c.t.ok(http.StatusNoContent, nil)
	resp.body, resp.effect = nil, effect
	return resp
}

// tryDrop deletes all of the indicators, or says why none.
func (c *call) tryDrop(ids []string) (status int, code, message string, first *Effect) {
	t := c.t
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.activeIndicators()
	for _, id := range ids {
		at := slices.IndexFunc(all, func(i *Indicator) bool { return i.ID == id })
		switch {
		case at < 0 || !c.visible(all[at]):
			return http.StatusNotFound, "ResourceNotFound", "Indicator " + id + " was not found", nil
		case slices.ContainsFunc(all[at].RBACGroupNames, func(g string) bool { return slices.Contains(t.indicators.hidden, g) }):
			return http.StatusForbidden, "Forbidden", "The caller is not exposed to the device groups of indicator " + id, nil
		}
	}
	t.dropIndicators(func(i *Indicator) bool {
		if !slices.Contains(ids, i.ID) {
			return false
		}
		if effect := c.noteIndicator(TypeDeleteIndicator, i); first == nil {
			first = effect
		}
		return true
	})
	return 0, "", "", first
}
