package audit

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// keyName is the name that a signed note gives for its signer.
const keyName = "mde-ops-audit"

// Seeds and public keys are both 32 bytes. Their texts begin differently, and differently from the vote keys', so that a key
// in another's place is noticed.
const (
	privatePrefix = "mde-audit-private-"
	publicPrefix  = "mde-audit-public-"
)

// NewKeys makes a key pair for checkpoints, in the texts that ParseSigner and ParseKeys read.
func NewKeys() (private, public string, err error) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("no random bytes for a key: %w", err)
	}
	return privatePrefix + base64.StdEncoding.EncodeToString(key.Seed()), publicPrefix + base64.StdEncoding.EncodeToString(pub), nil
}

// Signer signs checkpoints. Only the worker's process holds one.
type Signer struct {
	verifier note.Verifier
	key      ed25519.PrivateKey
}

// ParseSigner reads a signing key. Its errors show nothing of what was given.
func ParseSigner(text string) (*Signer, error) {
	if strings.HasPrefix(text, publicPrefix) {
		return nil, errors.New("this is a public key; the signing key of the checkpoints is the other one that `mde-slackbot keygen --audit` printed")
	}
	seed, ok := decode(text, privatePrefix, ed25519.SeedSize)
	if !ok {
		return nil, fmt.Errorf("a signing key for checkpoints is %s and base64 of %d bytes; make one with `mde-slackbot keygen --audit`", privatePrefix, ed25519.SeedSize)
	}
	key := ed25519.NewKeyFromSeed(seed)
	v, err := verifier(key.Public().(ed25519.PublicKey))
	return &Signer{verifier: v, key: key}, err
}

func decode(text, prefix string, size int) ([]byte, bool) {
	text, ok := strings.CutPrefix(text, prefix)
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	return b, ok && err == nil && len(b) == size
}

func verifier(pub ed25519.PublicKey) (note.Verifier, error) {
	text, err := note.NewEd25519VerifierKey(keyName, pub)
	if err != nil {
		return nil, err
	}
	return note.NewVerifier(text)
}

// Name implements note.Signer.
func (s *Signer) Name() string { return s.verifier.Name() }

// KeyHash implements note.Signer.
func (s *Signer) KeyHash() uint32 { return s.verifier.KeyHash() }

// Sign implements note.Signer.
func (s *Signer) Sign(text []byte) ([]byte, error) { return ed25519.Sign(s.key, text), nil }

// Public is the text of the key that verifies what s signs.
func (s *Signer) Public() string {
	return publicPrefix + base64.StdEncoding.EncodeToString(s.key.Public().(ed25519.PublicKey))
}

// Keys verify checkpoints; several serve a change of keys. The zero value verifies nothing.
type Keys struct{ list []note.Verifier }

// ParseKeys reads public keys. Its errors show nothing of what was given.
func ParseKeys(texts ...string) (Keys, error) {
	var k Keys
	for _, text := range texts {
		text = strings.TrimSpace(text)
		if strings.HasPrefix(text, privatePrefix) {
			return Keys{}, errors.New("this is a signing key for checkpoints, which only mde-slackbot may hold: give the public key that " +
				"`mde-slackbot keygen --audit` printed with it, and make a new pair if others could read this one")
		}
		b, ok := decode(text, publicPrefix, ed25519.PublicKeySize)
		if !ok {
			return Keys{}, fmt.Errorf("a public key of checkpoints is %s and base64 of %d bytes; `mde-slackbot keygen --audit` prints it", publicPrefix, ed25519.PublicKeySize)
		}
		v, err := verifier(b)
		if err != nil {
			return Keys{}, err
		}
		k.list = append(k.list, v)
	}
	return k, nil
}

// With returns the keys and the signer's own.
func (k Keys) With(s *Signer) Keys {
	return Keys{list: append(append([]note.Verifier{}, k.list...), s.verifier)}
}

// Empty reports whether there is no key.
func (k Keys) Empty() bool { return len(k.list) == 0 }

// Verifier implements note.Verifiers. Two different keys with the same short hash would be ambiguous to the notes' format;
// the same key given twice is not.
func (k Keys) Verifier(name string, hash uint32) (note.Verifier, error) {
	for _, v := range k.list {
		if v.Name() == name && v.KeyHash() == hash {
			return v, nil
		}
	}
	return nil, &note.UnknownVerifierError{Name: name, KeyHash: hash}
}
