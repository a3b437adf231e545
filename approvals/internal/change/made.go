package change

import (
	"encoding/base32"
	"encoding/json"

	"github.com/mde-ops/mde-ops/approvals"
)

// Asked is what somebody asks for, before it is a request.
type Asked struct {
	Plan      approvals.Plan
	Requester approvals.Requester
	Origin    approvals.Origin
}

// Kept brings what is asked into the form that the store gives back, so that a digest computed now is the digest of what is
// read later (text that is not UTF-8 changes when it becomes JSON). KindInvalid when it can't be written as JSON.
func Kept(in Asked) (out Asked, err error) {
	b, err := json.Marshal(in)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	if err != nil {
		return in, approvals.Refuse(approvals.KindInvalid, err, "the plan of %s can't be kept: its arguments are not JSON", in.Plan.Tool)
	}
	return out, nil
}

// Made completes a new request: its key, a waiting step for each of its plan's, and last of all its digest.
func Made(r approvals.Request) (approvals.Request, error) {
	r.Key, r.Steps = r.Plan.Key(), nil
	for i := range r.Plan.Steps {
		r.Steps = append(r.Steps, approvals.StepStatus{Index: i, State: approvals.StepWaiting, UpdatedAt: r.CreatedAt})
	}
	var err error
	r.Digest, err = approvals.Digest(r)
	return r, err
}

// crockford leaves out the letters that are read as digits.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// ID is 40 bits as the eight characters of a request's id, which a person can read out.
func ID(bits [5]byte) string {
	return base32.NewEncoding(crockford).WithPadding(base32.NoPadding).EncodeToString(bits[:])
}
