package mdecore

import (
	"context"
	"iter"
	"net/http"
	"reflect"
	"strings"
)

// maxIndicatorBatch is the most indicators that one import or one batch deletion takes, as documented.
const maxIndicatorBatch = 500

// ListIndicators iterates over the indicators that are in force. An application with no more than Ti.ReadWrite sees only
// its own. The filter is over application, createdByDisplayName, expirationTime, generateAlert, title, rbacGroupNames,
// rbacGroupIds, indicatorValue, indicatorType, creationTimeDateTimeUtc, createdBy, action or severity.
// Documentation page: get-ti-indicators-collection.md.
//
//mde:op GET /api/indicators roles=Ti.ReadWrite,Ti.ReadWrite.All
func (c *Client) ListIndicators(ctx context.Context, q Query) iter.Seq2[*Indicator, error] {
	return list[Indicator](ctx, c, q.call(call{op: "ListIndicators"}), q.Page)
}

// SubmitIndicator makes an indicator, or changes the one with the same value, and returns it. A tenant has room for 15,000.
// An answer without an id, or about another value, is an error of uncertain outcome.
// Documentation page: post-ti-indicator.md.
//
//mde:op POST /api/indicators roles=Ti.ReadWrite.All,Ti.ReadWrite
func (c *Client) SubmitIndicator(ctx context.Context, req IndicatorRequest) (*Indicator, error) {
	const op = "SubmitIndicator"
	indicator, err := send[Indicator](ctx, c, call{op: op, body: req, invalid: req.check()})
	switch {
	case err != nil:
		return nil, err
	case indicator.ID == "":
		return nil, &Error{Op: op, Message: "the service accepted indicator " + req.IndicatorValue + " but named no id: look whether it is listed"}
	case !req.names(indicator.IndicatorValue):
		return nil, &Error{Op: op, Message: "sent indicator " + req.IndicatorValue + ", but the service answered with indicator \"" + shorten(indicator.IndicatorValue) + "\""}
	}
	return indicator, nil
}

// ImportIndicators makes or changes any number of indicators, at most 500 in one call. The results are in the order of the
// requests; the same request twice counts once, and different ones about the same value are refused as a whole, because
// the answer tells indicators apart by their values only. A call that the service refuses does not keep the next ones from
// being sent; after one whose outcome is unknown nothing more is sent. An indicator that the service's answer does not name
// is of uncertain outcome. The error is nil when all are imported, otherwise a *BulkError.
// Documentation page: import-ti-indicators.md.
//
//mde:op POST /api/indicators/import roles=Ti.ReadWrite.All,Ti.ReadWrite
func (c *Client) ImportIndicators(ctx context.Context, requests []IndicatorRequest) ([]IndicatorResult, error) {
	const op = "ImportIndicators"
	requests, err := distinctIndicators(requests)
	if err != nil {
		return nil, refuse(op, err)
	}
	ids := map[string]string{}
	items, err := bulk[IndicatorRequest]{
		op: op, size: maxIndicatorBatch, id: func(r IndicatorRequest) string { return r.IndicatorValue },
		send: func(ctx context.Context, batch []IndicatorRequest) (map[string]error, error) {
			got, err := send[page[ImportResult]](ctx, c, call{op: op, body: ImportIndicatorsRequest{batch}})
			if err != nil {
				return nil, err
			}
			return imported(op, batch, got.Value, ids), nil
		},
	}.run(ctx, requests)
	results := make([]IndicatorResult, len(items))
	for i, item := range items {
		results[i] = IndicatorResult{item, ids[item.ID]}
	}
	return results, err
}

// DeleteIndicator removes an indicator by its id: what it blocked is no longer blocked.
// Documentation page: delete-ti-indicator-by-id.md.
//
//mde:op DELETE /api/indicators/{indicator_id} roles=Ti.ReadWrite.All,Ti.ReadWrite
func (c *Client) DeleteIndicator(ctx context.Context, id string) error {
	return c.write(ctx, call{op: "DeleteIndicator", args: args{idArg("indicator id", id)}}, nil)
}

// BatchDeleteIndicators removes any number of indicators by their ids, at most 500 in one call. The service deletes all of
// a call or refuses it as a whole, e.g. when it does not know one of the ids. Results and error are as those of
// BatchUpdateAlerts. Documentation page: batch-delete-ti-indicators.md.
//
//mde:op POST /api/indicators/BatchDelete roles=Ti.ReadWrite.All
func (c *Client) BatchDeleteIndicators(ctx context.Context, ids []string) ([]ItemResult, error) {
	const op = "BatchDeleteIndicators"
	if err := checkIDs("indicator id", ids); err != nil {
		return nil, refuse(op, err)
	}
	return bulk[string]{
		op: op, size: maxIndicatorBatch, id: func(id string) string { return id },
		send: func(ctx context.Context, batch []string) (map[string]error, error) {
			return nil, c.write(ctx, call{op: op, body: BatchDeleteIndicatorsRequest{batch}}, nil)
		},
	}.run(ctx, ids)
}

// key is what makes two indicators the same for the answer of an import. Only the path of a URL tells upper from lower case.
func (r IndicatorRequest) key() string {
	if r.IndicatorType == IndicatorURL {
		return r.IndicatorValue
	}
	return strings.ToLower(r.IndicatorValue)
}

// names reports whether value is the request's own. The service may write hashes and names in another case.
func (r IndicatorRequest) names(value string) bool {
	return value == r.IndicatorValue || (r.IndicatorType != IndicatorURL && strings.EqualFold(value, r.IndicatorValue))
}

// distinctIndicators checks the requests of an import and leaves out repeated ones.
func distinctIndicators(requests []IndicatorRequest) ([]IndicatorRequest, error) {
	if len(requests) == 0 {
		return nil, invalid("indicators", "", "there are none")
	}
	seen := make(map[string]IndicatorRequest, len(requests))
	out := make([]IndicatorRequest, 0, len(requests))
	for _, r := range requests {
		if err := r.check(); err != nil {
			return nil, err
		}
		before, again := seen[r.key()]
		switch {
		case !again:
			seen[r.key()] = r
			out = append(out, r)
		case !before.same(r):
			return nil, invalid("indicator value", r.IndicatorValue, "it stands twice in one import, with different types, actions or texts: keep one of them")
		}
	}
	return out, nil
}

// same reports whether two requests ask for the same, their values' case aside.
func (r IndicatorRequest) same(other IndicatorRequest) bool {
	r.IndicatorValue, other.IndicatorValue = r.key(), other.key()
	return r.ExpirationTime.Equal(other.ExpirationTime.Time) && reflect.DeepEqual(r.untimed(), other.untimed())
}

// untimed is the request without its expiry, which two values can write in different ways.
func (r IndicatorRequest) untimed() IndicatorRequest {
	r.ExpirationTime = Time{}
	if len(r.RbacGroupNames) == 0 {
		r.RbacGroupNames = nil
	}
	return r
}

// imported reads the answer of one import: the errors of those indicators that failed or that it does not name, by their
// values, and the ids of the others, which it adds to ids.
func imported(op string, batch []IndicatorRequest, results []ImportResult, ids map[string]string) map[string]error {
	exact, folded := worst(results, strings.Clone), worst(results, strings.ToLower)
	failed := map[string]error{}
	for _, item := range batch {
		byValue := folded
		if item.IndicatorType == IndicatorURL {
			byValue = exact
		}
		result, ok := byValue[item.key()]
		switch {
		case ok && result.IsFailed:
			failed[item.IndicatorValue] = result.refusal(op, item.IndicatorValue)
		case !ok || result.ID == "" || !item.names(result.Indicator):
			failed[item.IndicatorValue] = unconfirmed(op, "indicator", item.IndicatorValue)
		default:
			ids[item.IndicatorValue] = string(result.ID)
		}
	}
	return failed
}

// worst is the results by their values, in the spelling of fold. Of two that contradict each other the bad one counts.
func worst(results []ImportResult, fold func(string) string) map[string]ImportResult {
	byValue := make(map[string]ImportResult, len(results))
	for _, r := range results {
		if before, twice := byValue[fold(r.Indicator)]; !twice || !before.IsFailed {
			byValue[fold(r.Indicator)] = r
		}
	}
	return byValue
}

// refusal is the error of an indicator that the service did not take. It has the status of a bad request, although it came
// inside of a good answer, because it means the same: a definite no.
func (r ImportResult) refusal(op, value string) error {
	reason := r.FailureReason
	if reason == "" {
		reason = "the service names no reason"
	}
	return &Error{Op: op, Status: http.StatusBadRequest, Message: "indicator " + shorten(value) + " was not imported: " + reason}
}
