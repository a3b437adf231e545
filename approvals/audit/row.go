package audit

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
)

// Row is an audit row as it is exported: one JSON object on one line. Seq is its id, gapless and in commit order; a row that
// arrives twice has the same Seq and Hash. After a restore of the database a Seq may come again with another Hash.
type Row struct {
	Seq       int64  `json:"seq"`
	At        string `json:"at"` // RFC 3339 in UTC, milliseconds
	RequestID string `json:"request_id,omitempty"`
	Type      string `json:"type"`
	Actor     string `json:"actor"`
	Step      *int   `json:"step,omitempty"` // the step's index; absent for the request itself
	From      string `json:"from,omitempty"`
	To        string `json:"to,omitempty"`
	Detail    string `json:"detail,omitempty"`
	PrevHash  string `json:"prev_hash"`
	Hash      string `json:"hash"`
}

// NewRow is e as it is exported.
func NewRow(e approvals.Event) Row {
	r := Row{
		Seq: e.Seq, At: e.At.UTC().Format(timeLayout), RequestID: e.RequestID, Type: e.Type, Actor: e.Actor,
		From: e.From, To: e.To, Detail: e.Detail, PrevHash: e.PrevHash, Hash: e.Hash,
	}
	if e.Step >= 0 {
		r.Step = &e.Step
	}
	return r
}

// Event is the row that r was made of.
func (r Row) Event() (approvals.Event, error) {
	at, err := time.Parse(timeLayout, r.At)
	if err != nil {
		return approvals.Event{}, fmt.Errorf("the time of exported row %d can't be read", r.Seq)
	}
	e := approvals.Event{
		Seq: r.Seq, At: at, RequestID: r.RequestID, Type: r.Type, Actor: r.Actor, Step: -1,
		From: r.From, To: r.To, Detail: r.Detail, PrevHash: r.PrevHash, Hash: r.Hash,
	}
	if r.Step != nil {
		e.Step = *r.Step
	}
	return e, nil
}

// AppendLine appends e as JSON and a newline.
func AppendLine(b []byte, e approvals.Event) ([]byte, error) {
	text, err := json.Marshal(NewRow(e))
	if err != nil {
		return b, fmt.Errorf("audit row %d can't be exported: %w", e.Seq, err)
	}
	return append(append(b, text...), '\n'), nil
}

// lines are rows as JSON lines.
func lines(rows []approvals.Event) (b []byte, err error) {
	for _, e := range rows {
		if b, err = AppendLine(b, e); err != nil {
			return nil, err
		}
	}
	return b, nil
}
