package slackbot

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"sync"

	"github.com/mde-ops/mde-ops/approvals"
)

// stamp is what a button carries: which request, and the digest of what the card showed. A press of a button whose
// digest is not the request's is a press on something else.
type stamp struct{ id, digest string }

var (
	stampID     = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9A-Za-z]{1,32}$`) })
	stampDigest = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{64}$`) })
)

var errBadStamp = errors.New("the button does not belong to a request")

func (s stamp) String() string { return s.id + "." + s.digest }

// parseStamp reads a button's value; whatever is not exactly one is refused.
func parseStamp(value string) (stamp, error) {
	id, digest, found := strings.Cut(value, ".")
	if !found || !stampID().MatchString(id) || !stampDigest().MatchString(digest) {
		return stamp{}, errBadStamp
	}
	return stamp{id: id, digest: digest}, nil
}

// place is where a card is: only a press in the stored place of the request's own card counts.
type place struct {
	Channel string `json:"channel"`
	TS      string `json:"ts"`
}

// ticket is what a modal carries from the press that opened it to its submission.
type ticket struct {
	Stamp string `json:"stamp"`
	Card  place  `json:"card"`
	// Page is the page shown, and Pages how many there are, for the details.
	Page  int `json:"page,omitempty"`
	Pages int `json:"pages,omitempty"`
	// Verdict is the yes that submitting the last page gives; empty where the card offers it.
	Verdict approvals.Verdict `json:"verdict,omitempty"`
}

func (t ticket) String() string {
	b, err := json.Marshal(t)
	if err != nil {
		return "" // strings and numbers always marshal; an empty ticket is refused when it comes back
	}
	return string(b)
}

// parseTicket reads a modal's metadata.
func parseTicket(metadata string) (ticket, stamp, error) {
	var t ticket
	if err := json.Unmarshal([]byte(metadata), &t); err != nil {
		return ticket{}, stamp{}, errBadStamp
	}
	s, err := parseStamp(t.Stamp)
	return t, s, err
}
