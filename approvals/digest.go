package approvals

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
)

func itoa(n int) string { return strconv.Itoa(n) }

// sealed is everything an approval is for. Its field order is part of the digest, so fields are only ever added at the
// end, with a new Format.
type sealed struct {
	Format       int       `json:"format"`
	ID           string    `json:"id"`
	Plan         Plan      `json:"plan"`
	Requester    Requester `json:"requester"`
	Outcome      Outcome   `json:"outcome"`
	Rule         string    `json:"rule"`
	Quorum       []Quorum  `json:"quorum"`
	PolicyDigest string    `json:"policy"`
	CreatedMS    int64     `json:"created_ms"`
	ExpiresMS    int64     `json:"expires_ms"`
	StartMS      int64     `json:"start_within_ms"`
	Terms        Terms     `json:"terms"`
	Parent       string    `json:"parent"`
}

// Digest computes the SHA-256 (lower-case hex) of everything that a vote on r is for: the plan with its resolved ids and
// canonical arguments, the requester, policy's answer and its version, and the times. State, votes and outcomes are not
// part of it. The claim computes it again from what is stored, so that an altered plan is not the one that was approved.
func Digest(r Request) (string, error) {
	b, err := json.Marshal(sealed{
		Format: 2, ID: r.ID, Plan: r.Plan, Requester: r.Requester, Outcome: r.Outcome, Rule: r.Rule,
		Quorum:       append([]Quorum{}, r.Quorum...), // none is [], never null, whatever the store gives back
		PolicyDigest: r.PolicyDigest, CreatedMS: r.CreatedAt.UnixMilli(),
		ExpiresMS: r.ExpiresAt.UnixMilli(), StartMS: r.StartWithin.Milliseconds(),
		Terms: r.Terms, Parent: r.Parent,
	})
	if err != nil {
		return "", fmt.Errorf("request %s can't be digested: %w", r.ID, err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// ShortDigest is the part of a digest that cards show.
func ShortDigest(digest string) string { return digest[:min(len(digest), 12)] }
