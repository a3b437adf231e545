package cards

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"sync"

	"github.com/mde-ops/mde-ops/approvals"
)

// Stamp is what a button carries: which request, and the digest of what the card showed. A press of a button whose
// digest is not the request's is a press on something else.
type Stamp struct{ ID, Digest string }

var (
	stampID     = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9A-Za-z]{1,32}$`) })
	stampDigest = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{64}$`) })
)

// ErrBadStamp is a value that no button of ours carries.
var ErrBadStamp = errors.New("the button does not belong to a request")

func (s Stamp) String() string { return s.ID + "." + s.Digest }

// ParseStamp reads a button's value; whatever is not exactly one is refused.
func ParseStamp(value string) (Stamp, error) {
	id, digest, found := strings.Cut(value, ".")
	if !found || !stampID().MatchString(id) || !stampDigest().MatchString(digest) {
		return Stamp{}, ErrBadStamp
	}
	return Stamp{ID: id, Digest: digest}, nil
}

// Place is where a card is: only a press in the stored place of the request's own card counts.
type Place struct {
	Channel string `json:"channel"`
	TS      string `json:"ts"`
}

// Ticket is what a modal carries from the press that opened it to its submission.
type Ticket struct {
	Stamp string `json:"stamp"`
	Card  Place  `json:"card"`
	// Page is the page shown, and Pages how many there are, for the details.
	Page  int `json:"page,omitempty"`
	Pages int `json:"pages,omitempty"`
	// Verdict is the yes that submitting the last page gives; empty where the card offers it.
	Verdict approvals.Verdict `json:"verdict,omitempty"`
}

func (t Ticket) String() string {
	b, err := json.Marshal(t)
	if err != nil {
		return "" // strings and numbers always marshal; an empty ticket is refused when it comes back
	}
	return string(b)
}

// ParseTicket reads a modal's metadata.
func ParseTicket(metadata string) (Ticket, Stamp, error) {
	var t Ticket
	if err := json.Unmarshal([]byte(metadata), &t); err != nil {
		return Ticket{}, Stamp{}, ErrBadStamp
	}
	s, err := ParseStamp(t.Stamp)
	return t, s, err
}
