package tools

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/gate"
)

// Question is what a face is to put to the person behind its client before a call goes on. Nothing was made yet. The face
// calls again with the same arguments and what the person said, in Call.Answer.
type Question struct {
	// Text says everything that a yes would do. Untrusted text in it is made harmless to read.
	Text string
	// State is opaque: it goes to the client and comes back in the Answer, unchanged.
	State string
}

// Answer is what a client says that its person said.
type Answer struct {
	// State is that of the Question.
	State string
	// Yes is a yes; everything else is a no.
	Yes bool
}

const (
	// askFor is how long a question can be answered.
	askFor = 5 * time.Minute
	// maxAnswered bounds the answered questions that are remembered until they can't be answered any more.
	maxAnswered = 10_000
	// askSteps and askBytes bound what a person is asked to look through in a client. A longer plan is confirmed in Slack, where
	// it has pages.
	askSteps, askBytes = 50, 6000
)

// consents seals questions and opens answers. The key is this process's own and nothing is kept of a question before it is
// answered, so that an answer that comes after a restart, or to another process, is one to no question.
type consents struct {
	seal  cipher.AEAD
	clock func() time.Time

	mu   sync.Mutex
	used map[string]time.Time // the nonces that were answered, until when they are remembered
}

func newConsents(clock func() time.Time) (*consents, error) {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails: the runtime ends the program instead
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return &consents{seal: aead, clock: clock, used: map[string]time.Time{}}, err
}

// asked is what a sealed state holds: whom was asked what, and until when they can answer.
type asked struct {
	Person string    `json:"person"`
	Via    string    `json:"via"`
	Tool   string    `json:"tool"`
	Digest string    `json:"digest"`
	Until  time.Time `json:"until"`
	Nonce  string    `json:"nonce"`
}

const sealedFor = "mde-ops consent 1"

func (c *consents) state(tool string, who approvals.Requester, digest string) (string, error) {
	b, err := json.Marshal(asked{
		Person: strings.ToLower(who.ID), Via: string(who.Via), Tool: tool, Digest: digest, Until: c.clock().Add(askFor), Nonce: rand.Text(),
	})
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(c.seal.Seal(nil, nil, b, []byte(sealedFor))), nil
}

// open returns what was asked, once: a state can't be opened again, whatever the answer was.
func (c *consents) open(state, tool string, who approvals.Requester) (asked, error) {
	if state == "" {
		return asked{}, noQuestion("it brings an answer to a question that was never asked")
	}
	b, err := base64.RawURLEncoding.DecodeString(state)
	if err == nil {
		b, err = c.seal.Open(nil, nil, b, []byte(sealedFor))
	}
	var was asked
	if err == nil {
		err = json.Unmarshal(b, &was)
	}
	now := c.clock()
	switch {
	case err != nil:
		return asked{}, noQuestion("its requestState is not one that this process gave out, or was altered")
	case was.Person != strings.ToLower(who.ID) || was.Via != string(who.Via):
		return asked{}, noQuestion("its requestState was given to somebody else")
	case was.Tool != tool:
		return asked{}, noQuestion("its requestState belongs to a call of " + was.Tool)
	case !now.Before(was.Until):
		return asked{}, noQuestion("the question expired at " + clockTime(was.Until))
	}
	return was, c.once(was, now)
}

// once marks a question as answered.
func (c *consents) once(was asked, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, again := c.used[was.Nonce]; again {
		return noQuestion("its requestState was used before")
	}
	if len(c.used) >= maxAnswered {
		for nonce, until := range c.used {
			if !now.Before(until) {
				delete(c.used, nonce)
			}
		}
	}
	if len(c.used) >= maxAnswered {
		return approvals.Refuse(approvals.KindNoAnswer, nil, "too many questions were answered in the last %v; nothing was made, call again later", askFor)
	}
	c.used[was.Nonce] = was.Until
	return nil
}

func noQuestion(why string) error {
	return approvals.Refuse(approvals.KindDenied, nil, "nothing was made: %s. Call again without inputResponses and requestState; the person is then asked anew", why)
}

// answered opens an answer before anything is looked up for it, and refuses a no.
func (d *Dispatcher) answered(c Call) (asked, error) {
	was, err := d.consents.open(c.Answer.State, c.Tool, c.Requester)
	if err == nil && !c.Answer.Yes {
		err = approvals.Refuse(approvals.KindDenied, nil, "the person did not say yes, so nothing was made. Don't ask again unless they want it")
	}
	return was, err
}

// consented completes a submission with its requester's yes, or returns the question that is to be put to them first; neither
// where the gate wants another yes, or none.
func (d *Dispatcher) consented(ctx context.Context, c Call, was asked, s *gate.Submission) (*Question, error) {
	if c.Answer == nil && !c.MayAsk {
		return nil, nil
	}
	text := question(s.Plan, s.Requester)
	digest, err := questionDigest(s.Plan, text)
	if err != nil {
		return nil, err
	}
	if c.Answer != nil {
		if was.Digest != digest {
			return nil, noQuestion("what would be done is no longer what the person was asked about")
		}
		s.Consent = true
		return nil, nil
	}
	if len(s.Plan.Steps) > askSteps || len(text) > askBytes {
		return nil, nil
	}
	if asks, err := d.house.gate.AsksClient(ctx, *s); err != nil || !asks {
		return nil, err
	}
	state, err := d.consents.state(c.Tool, s.Requester, digest)
	return &Question{Text: text, State: state}, err
}

// question is what a person reads before they say yes: all of the plan.
func question(p approvals.Plan, who approvals.Requester) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s. Do it?", strings.TrimSuffix(clean(p.Preview, 500), "."))
	if p.Reason != "" {
		fmt.Fprintf(&b, "\nReason given: %s", quoted(p.Reason, 500))
	}
	for _, w := range p.Warnings {
		b.WriteString("\nWarning: " + clean(w, 500))
	}
	for i, s := range p.Steps {
		fmt.Fprintf(&b, "\n%d. %s", i+1, clean(s.Summary, 200))
	}
	fmt.Fprintf(&b, "\nFor %s", who.ID)
	if who.Agent != "" {
		fmt.Fprintf(&b, ", through %s", quoted(who.Agent, 80))
	}
	fmt.Fprintf(&b, ", in tenant %s. Names above are written by others.", p.Tenant)
	return b.String()
}

// questionDigest is the digest of what a yes is for: what would be done, and every word that was shown.
func questionDigest(p approvals.Plan, text string) (string, error) {
	key := p.Key()
	if key == "" {
		return "", approvals.Refuse(approvals.KindInvalid, nil, "the plan of %s has arguments that are not JSON", p.Tool)
	}
	b, err := canonical(struct {
		Key, Risk, Reason, Text string
		Args                    json.RawMessage
	}{key, string(p.Risk), p.Reason, text, p.Args})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}
