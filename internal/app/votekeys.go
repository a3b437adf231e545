package app

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
)

// NewVoteKey makes a vote signing key and its public key, as MDE_VOTE_SIGNING_KEY and MDE_VOTE_PUBLIC_KEYS take them.
func NewVoteKey() (private, public string, err error) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", "", fmt.Errorf("no random bytes for a key: %w", err)
	}
	return approvals.FormatPrivateKey(key), approvals.FormatPublicKey(pub), nil
}

// SignerKeys parses the configured vote keys: the signer, nil when none is configured, and a verifier of its public key
// and of all the others.
func (v Votes) SignerKeys() (*approvals.Signer, *approvals.Verifier, error) {
	keys, err := v.publicKeys()
	if err != nil {
		return nil, nil, err
	}
	signer, err := v.signer()
	if err != nil {
		return nil, nil, err
	}
	if signer != nil {
		keys = append(keys, signer.Public())
	}
	verifier, err := approvals.NewVerifier(keys...)
	if err != nil {
		return nil, nil, fmt.Errorf("MDE_VOTE_PUBLIC_KEYS: %w", err)
	}
	return signer, verifier, nil
}

func (v Votes) signer() (*approvals.Signer, error) {
	text := v.SigningKey.Reveal()
	if text == "" {
		return nil, nil
	}
	key, err := approvals.ParsePrivateKey(text)
	if err != nil {
		return nil, fmt.Errorf("MDE_VOTE_SIGNING_KEY: %w", err)
	}
	return approvals.NewSigner(key)
}

func (v Votes) publicKeys() ([]ed25519.PublicKey, error) {
	keys := make([]ed25519.PublicKey, 0, len(v.PublicKeys))
	for _, text := range v.PublicKeys {
		key, err := approvals.ParsePublicKey(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("MDE_VOTE_PUBLIC_KEYS: %w", err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}
