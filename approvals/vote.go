package approvals

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Verdict is what a person said.
type Verdict string

// The verdicts.
const (
	VerdictApprove Verdict = "approve" // another person's yes
	VerdictConfirm Verdict = "confirm" // the requester's own yes, where policy asks for that
	VerdictDeny    Verdict = "deny"    // an approver's no
)

// Valid reports whether v is one of the listed verdicts.
func (v Verdict) Valid() bool {
	return v == VerdictApprove || v == VerdictConfirm || v == VerdictDeny
}

// Vote is one person's verdict on one request, signed by the face that authenticated the person.
type Vote struct {
	RequestID string  `json:"request_id"`
	Digest    string  `json:"digest"`
	Voter     Person  `json:"voter"`
	Verdict   Verdict `json:"verdict"`
	// Reason is the voter's words, when they deny. Untrusted text.
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
	// Groups are those, of all that the request asks, in which the voter was when they voted; see Group.Marks. They are
	// signed, so that long afterwards it can be told whose yes this was.
	Groups []string `json:"groups,omitempty"`
	// KeyID names the key that signed; Signature is Ed25519 over the canonical form.
	KeyID     string `json:"key_id"`
	Signature []byte `json:"signature"`
}

// canonical is the signed form: fixed field order, milliseconds, no signature.
func (v Vote) canonical() ([]byte, error) {
	return json.Marshal(struct {
		Format  int      `json:"format"`
		ID      string   `json:"request_id"`
		Digest  string   `json:"digest"`
		Voter   Person   `json:"voter"`
		Verdict Verdict  `json:"verdict"`
		Reason  string   `json:"reason"`
		AtMS    int64    `json:"at_ms"`
		KeyID   string   `json:"key_id"`
		Groups  []string `json:"groups"`
	}{2, v.RequestID, v.Digest, v.Voter, v.Verdict, v.Reason, v.At.UnixMilli(), v.KeyID, append([]string{}, v.Groups...)})
}

// Marks are the texts by which votes remember a group: its name, and what defines it where that is one word. A group
// that is renamed, or defined anew under its old name, is still recognised; one that is both is not.
func (g Group) Marks() []string {
	marks := []string{"name:" + g.Name}
	switch {
	case g.Slack != "" && g.Role == "" && len(g.People) == 0:
		marks = append(marks, "slack:"+g.Slack)
	case g.Role != "" && g.Slack == "" && len(g.People) == 0:
		marks = append(marks, "role:"+g.Role)
	}
	return marks
}

// votedAs reports whether the vote was cast by a member of g.
func (v Vote) votedAs(g Group) bool {
	return slices.ContainsFunc(g.Marks(), func(m string) bool { return slices.Contains(v.Groups, m) })
}

// Signer signs votes. Only a face that authenticates people holds one.
type Signer struct {
	key ed25519.PrivateKey
	id  string
}

// NewSigner makes a signer of a private key.
func NewSigner(key ed25519.PrivateKey) (*Signer, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("the vote signing key has %d bytes, want %d", len(key), ed25519.PrivateKeySize)
	}
	return &Signer{key: key, id: KeyID(key.Public().(ed25519.PublicKey))}, nil
}

// Public is the key that verifies what s signs.
func (s *Signer) Public() ed25519.PublicKey { return s.key.Public().(ed25519.PublicKey) }

// Sign returns v with key id and signature filled in.
func (s *Signer) Sign(v Vote) (Vote, error) {
	v.KeyID, v.Signature = s.id, nil
	b, err := v.canonical()
	if err != nil {
		return Vote{}, fmt.Errorf("vote on %s can't be signed: %w", v.RequestID, err)
	}
	v.Signature = ed25519.Sign(s.key, b)
	return v, nil
}

// KeyID is the short name of a public key: the first 16 hex digits of its SHA-256.
func KeyID(pub ed25519.PublicKey) string {
	sum := sha256.Sum256(pub)
	return hex.EncodeToString(sum[:8])
}

// Verifier checks votes with public keys only, so that a worker can verify what it could not have signed.
type Verifier struct{ keys map[string]ed25519.PublicKey }

// NewVerifier makes a verifier that accepts votes signed by any of keys; several serve a key rotation. At least one is
// needed, because a gate that can verify nothing must not start.
func NewVerifier(keys ...ed25519.PublicKey) (*Verifier, error) {
	if len(keys) == 0 {
		return nil, errors.New("no vote verification key: set the public key of the face that signs votes")
	}
	byID := make(map[string]ed25519.PublicKey, len(keys))
	for _, k := range keys {
		if len(k) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("a vote verification key has %d bytes, want %d", len(k), ed25519.PublicKeySize)
		}
		byID[KeyID(k)] = k
	}
	return &Verifier{keys: byID}, nil
}

// ErrBadSignature says that a vote was not signed by a known face, or was altered afterwards.
var ErrBadSignature = errors.New("the vote's signature does not verify")

// Verify checks v's signature.
func (f *Verifier) Verify(v Vote) error {
	key, ok := f.keys[v.KeyID]
	if !ok {
		return fmt.Errorf("%w: unknown key %q", ErrBadSignature, v.KeyID)
	}
	b, err := v.canonical()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadSignature, err)
	}
	if !ed25519.Verify(key, b, v.Signature) {
		return ErrBadSignature
	}
	return nil
}

// Seeds and public keys are both 32 bytes. Their texts begin differently, so that a seed given where a public key
// belongs is noticed: it would go to processes that must not be able to sign.
const (
	privateKeyPrefix = "mde-vote-private-"
	publicKeyPrefix  = "mde-vote-public-"
)

// FormatPrivateKey writes a signing key as ParsePrivateKey reads it: a prefix and base64 of the 32-byte Ed25519 seed.
func FormatPrivateKey(key ed25519.PrivateKey) string {
	return privateKeyPrefix + base64.StdEncoding.EncodeToString(key.Seed())
}

// FormatPublicKey writes a verification key as ParsePublicKey reads it: a prefix and base64 of the 32 bytes.
func FormatPublicKey(key ed25519.PublicKey) string {
	return publicKeyPrefix + base64.StdEncoding.EncodeToString(key)
}

// ParsePrivateKey reads a signing key. Its errors show nothing of what was given.
func ParsePrivateKey(s string) (ed25519.PrivateKey, error) {
	text, ok := strings.CutPrefix(s, privateKeyPrefix)
	if strings.HasPrefix(s, publicKeyPrefix) {
		return nil, errors.New("this is a public key; the vote signing key is the other one that `mde-slackbot keygen` printed")
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if !ok || err != nil || len(b) != ed25519.SeedSize {
		return nil, fmt.Errorf("a vote signing key is %s and base64 of %d bytes; make one with `mde-slackbot keygen`", privateKeyPrefix, ed25519.SeedSize)
	}
	return ed25519.NewKeyFromSeed(b), nil
}

// ParsePublicKey reads a verification key. Its errors show nothing of what was given.
func ParsePublicKey(s string) (ed25519.PublicKey, error) {
	text, ok := strings.CutPrefix(s, publicKeyPrefix)
	if strings.HasPrefix(s, privateKeyPrefix) {
		return nil, errors.New("this is a vote signing key, which only mde-slackbot may hold: give the public key that `mde-slackbot keygen` " +
			"printed with it, and make a new pair if others could read this one")
	}
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if !ok || err != nil || len(b) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("a vote verification key is %s and base64 of %d bytes; `mde-slackbot keygen` prints it", publicKeyPrefix, ed25519.PublicKeySize)
	}
	return ed25519.PublicKey(b), nil
}
