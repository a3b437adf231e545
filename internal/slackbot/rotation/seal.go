package rotation

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// seal hides tokens from whoever can read the database and does not have the client secret.
type seal struct {
	aead cipher.AEAD
	// seed names the configured refresh token without telling it.
	seed string
}

func newSeal(clientSecret, refreshToken string) (*seal, error) {
	key, err := hkdf.Key(sha256.New, []byte(clientSecret), nil, "mde-ops: the Slack bot token in the store, 1", 32)
	if err != nil {
		return nil, err
	}
	naming, err := hkdf.Key(sha256.New, []byte(clientSecret), nil, "mde-ops: the name of a refresh token, 1", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	mac := hmac.New(sha256.New, naming)
	mac.Write([]byte(refreshToken))
	return &seal{aead, hex.EncodeToString(mac.Sum(nil)[:16])}, nil
}

// close seals a value for this seed alone.
func (s *seal) close(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return s.aead.Seal(nil, nil, text, []byte(s.seed)), nil
}

// open opens what was sealed into v.
func (s *seal) open(sealed []byte, v any) error {
	text, err := s.aead.Open(nil, nil, sealed, []byte(s.seed))
	if err != nil {
		return errors.New("the Slack token in the store was altered: install the app again and set MDE_SLACK_REFRESH_TOKEN to the new one")
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("the Slack token in the store can't be read: %w", err)
	}
	return nil
}
