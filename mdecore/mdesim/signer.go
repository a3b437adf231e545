package mdesim

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"sync"

	"github.com/golang-jwt/jwt/v5"
)

// keyBits is small for speed: a tenant in every test makes a key of its own, and
// what it signs is worth nothing.
const keyBits = 1024

// signingKey is a key with the name that tokens find it by.
type signingKey struct {
	id      string
	private *rsa.PrivateKey
}

// signer holds the tenant's signing keys, the newest last. The first is made when
// the first token is asked for.
type signer struct {
	mu   sync.Mutex
	keys []signingKey
	made int
}

// current is the key that signs.
func (s *signer) current() (signingKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.keys) == 0 {
		if err := s.add(); err != nil {
			return signingKey{}, err
		}
	}
	return s.keys[len(s.keys)-1], nil
}

// published are the keys that tokens are verified with.
func (s *signer) published() ([]signingKey, error) {
	if _, err := s.current(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keys), nil
}

// public is the published key of a name.
func (s *signer) public(id any) (*rsa.PublicKey, error) {
	keys, err := s.published()
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		if k.id == id {
			return &k.private.PublicKey, nil
		}
	}
	return nil, errors.New("no such key")
}

// rotate makes a new key to sign with; keep says whether what the old ones signed
// stays good.
func (s *signer) rotate(keep bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !keep {
		s.keys = nil
	}
	return s.add()
}

// add makes a key; the caller holds the lock.
func (s *signer) add() error {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return err
	}
	s.made++
	s.keys = append(s.keys, signingKey{id: fmt.Sprintf("mdesim-%d", s.made), private: key})
	return nil
}

// sign makes a token of claims.
func (s *signer) sign(c jwt.Claims) (string, error) {
	key, err := s.current()
	if err != nil {
		return "", err
	}
	tok := jwt.NewWithClaims(jwt.SigningMethodRS256, c)
	tok.Header["kid"] = key.id
	return tok.SignedString(key.private)
}

// RotateSigningKey makes a new key that signs from now on. With keep the older
// keys stay published, as Entra ID does for a while; without it what they signed is
// worth nothing any more.
func (t *Tenant) RotateSigningKey(keep bool) error {
	t.ready()
	return t.signer.rotate(keep)
}

// SignToken signs any claims with the tenant's key, for tests of what checks
// tokens.
func (t *Tenant) SignToken(claims map[string]any) (string, error) {
	t.ready()
	return t.signer.sign(jwt.MapClaims(claims))
}

func (t *Tenant) serveKeys() response {
	keys, err := t.signer.published()
	if err != nil {
		return t.noKey(err)
	}
	enc := base64.RawURLEncoding
	shown := make([]map[string]string, len(keys))
	for i, k := range keys {
		shown[i] = map[string]string{
			"kty": "RSA", "use": "sig", "alg": "RS256", "kid": k.id,
			"n": enc.EncodeToString(k.private.N.Bytes()), "e": enc.EncodeToString(big.NewInt(int64(k.private.E)).Bytes()),
		}
	}
	return jsonResponse(http.StatusOK, map[string]any{"keys": shown})
}

func (t *Tenant) noKey(err error) response {
	return t.problem(http.StatusInternalServerError, "InternalServerError", "no token can be signed: "+err.Error())
}
