package oauth

import "context"

// FetchKeys asks the issuer for its keys now, and returns how many of them verify signatures. It serves whoever checks a
// configuration: what it fetched is not kept.
func (v *Verifier) FetchKeys(ctx context.Context) (int, error) {
	keys, err := v.keys.fetch(ctx)
	return len(keys), err
}
