package oauth

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	keysFresh  = time.Hour      // keys are fetched again after it, so that withdrawn ones go
	keysUsable = 24 * time.Hour // and used for so long where that fails
	fetchLimit = 10 * time.Second
	maxKeys    = 1 << 20
)

// keySet keeps the issuer's keys. They are fetched when a token needs one that isn't there, never twice within the floor:
// anybody can make up a token with a key's name that is new.
type keySet struct {
	issuer string
	client *http.Client
	clock  func() time.Time
	floor  time.Duration
	busy   chan struct{} // holds one: who fetches

	mu             sync.RWMutex
	keys           map[string]*rsa.PublicKey
	fetched, tried time.Time
	failed         error // of the last try
}

func newKeySet(o Options) *keySet {
	return &keySet{issuer: o.Issuer, client: o.Client, clock: o.Clock, floor: o.RefreshFloor, busy: make(chan struct{}, 1)}
}

// find returns the key of that name.
func (k *keySet) find(ctx context.Context, id string) (*rsa.PublicKey, error) {
	key, age := k.look(id)
	if key != nil && age < keysFresh {
		return key, nil
	}
	usable := key != nil && age < keysUsable
	if err := k.refresh(ctx, usable); err != nil {
		return nil, err
	}
	key, age = k.look(id)
	k.mu.RLock()
	defer k.mu.RUnlock()
	switch {
	case key != nil && age < keysUsable:
		return key, nil
	case k.failed != nil:
		return nil, &Refusal{kind: unavailable, text: "the issuer's keys can't be fetched, so no token can be checked", cause: k.failed, retry: k.floor}
	}
	return nil, refuse(badToken, "the token is signed with a key that its issuer does not have")
}

func (k *keySet) look(id string) (*rsa.PublicKey, time.Duration) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.keys[id], k.clock().Sub(k.fetched)
}

// refresh fetches the keys unless that was tried a moment ago. Who has a usable key doesn't wait for somebody else's fetch.
func (k *keySet) refresh(ctx context.Context, usable bool) error {
	select {
	case k.busy <- struct{}{}:
	default:
		if usable {
			return nil
		}
		select {
		case k.busy <- struct{}{}:
		case <-ctx.Done():
			return &Refusal{kind: unavailable, text: "the request ended while the issuer's keys were fetched", cause: ctx.Err(), retry: time.Second}
		}
	}
	defer func() { <-k.busy }()
	k.mu.Lock()
	now := k.clock()
	early := !k.tried.IsZero() && now.Sub(k.tried) < k.floor
	if !early {
		k.tried = now
	}
	k.mu.Unlock()
	if early {
		return nil
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchLimit) // it is for everybody, not only who asked
	defer cancel()
	keys, err := k.fetch(limited)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.failed = err; err == nil {
		k.keys, k.fetched = keys, now
	}
	return nil
}

// fetch asks the issuer where its keys are, and gets them.
func (k *keySet) fetch(ctx context.Context) (map[string]*rsa.PublicKey, error) {
	var about struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := k.get(ctx, strings.TrimRight(k.issuer, "/")+"/.well-known/openid-configuration", &about); err != nil {
		return nil, err
	}
	if about.Issuer != k.issuer {
		return nil, fmt.Errorf("the issuer calls itself %q, and is configured as %q", about.Issuer, k.issuer)
	}
	if u, err := url.Parse(about.Keys); err != nil || u.Scheme != "https" {
		return nil, errors.New("the issuer names no https address for its keys")
	}
	var set struct {
		Keys []webKey `json:"keys"`
	}
	if err := k.get(ctx, about.Keys, &set); err != nil {
		return nil, err
	}
	keys := map[string]*rsa.PublicKey{}
	for _, w := range set.Keys {
		if key, ok := w.public(); ok {
			keys[w.ID] = key
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("the issuer publishes no RSA key for signatures")
	}
	return keys, nil
}

func (k *keySet) get(ctx context.Context, address string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered with status %d", address, resp.StatusCode)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxKeys)).Decode(into); err != nil {
		return fmt.Errorf("the answer of %s is not what was expected: %w", address, err)
	}
	return nil
}

// webKey is a key as RFC 7517 writes it.
type webKey struct {
	Type     string `json:"kty"`
	Use      string `json:"use"`
	Alg      string `json:"alg"`
	ID       string `json:"kid"`
	Modulus  string `json:"n"`
	Exponent string `json:"e"`
}

// public is the key, when it is one that verifies RS256.
func (w webKey) public() (*rsa.PublicKey, bool) {
	if w.Type != "RSA" || w.ID == "" || (w.Use != "" && w.Use != "sig") || (w.Alg != "" && w.Alg != "RS256") {
		return nil, false
	}
	n, err := base64.RawURLEncoding.DecodeString(w.Modulus)
	if err != nil || len(n) < 128 { // 1024 bits, the least that crypto/rsa takes
		return nil, false
	}
	e, err := base64.RawURLEncoding.DecodeString(w.Exponent)
	if err != nil {
		return nil, false
	}
	exponent := new(big.Int).SetBytes(e)
	if !exponent.IsInt64() || exponent.Int64() < 3 || exponent.Int64() > math.MaxInt32 {
		return nil, false
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}, true
}
