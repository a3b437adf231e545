package oauth

import (
	"crypto/rsa"
	"crypto/sha256"
	"sync"
)

// maxVerified bounds how many good tokens are remembered.
const maxVerified = 4096

// verified are tokens that were found good, by their digest: a client sends the same one with each call. Only what can't
// change is not looked at again: the same bytes, signed with the same key.
type verified struct {
	mu   sync.Mutex
	good map[[sha256.Size]byte]signed
}

// signed is a good token's identity and the key that it was signed with.
type signed struct {
	kid string
	key *rsa.PublicKey
	id  Identity
}

func (s *verified) keep(sum [sha256.Size]byte, by signed, id Identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.good == nil || len(s.good) >= maxVerified {
		s.good = map[[sha256.Size]byte]signed{}
	}
	by.id = id
	s.good[sum] = by
}

// known returns the identity of a token that was found good before, while it lasts and its key is the one that is published.
func (v *Verifier) known(sum [sha256.Size]byte) (Identity, bool) {
	v.seen.mu.Lock()
	by, ok := v.seen.good[sum]
	v.seen.mu.Unlock()
	if !ok || !v.o.Clock().Before(by.id.Expires) {
		return Identity{}, false
	}
	key, age := v.keys.look(by.kid)
	return by.id, key == by.key && key != nil && age < keysFresh
}
