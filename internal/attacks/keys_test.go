package attacks_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// The signing key is changed while a request is open. What the old key signed counts as long as it is listed, and for
// nothing once it is not, as after a theft.
func TestTheSigningKeyIsRotatedInTheMiddleOfARequest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		listed bool
		sent   int
	}{"the old key is still listed": {true, 1}, "the old key was removed": {false, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := open(t, plan{policy: two})
			id, card := h.asked(mdesim.NameHost)
			h.pressed(slacksim.Bob, card, "Approve")
			old := h.signer
			h.signer = newSigner(t, 2)
			h.verifier = verifierOf(t, h.signer)
			if c.listed {
				h.verifier = verifierOf(t, h.signer, old)
			}
			h.again(plan{})
			carol, err := h.people.Identify(t.Context(), slacksim.DefaultTeamID, slacksim.Carol)
			require.NoError(t, err)
			before := h.head()
			_, err = h.box.Cast(t.Context(), ballotOf(h.state(id), carol, approvals.VerdictApprove))
			if c.listed {
				require.NoError(t, err)
				require.Equal(t, approvals.Succeeded, h.settle(id).State)
			} else {
				require.Equal(t, approvals.KindTampering, approvals.KindOf(err))
				h.refused(before, "carol@example.com", "does not verify")
			}
			h.sent(c.sent)
			h.sound()
		})
	}
}

// The key is taken off the list after the last vote and before the first step is sent.
func TestTheSigningKeyIsRemovedBetweenVoteAndClaim(t *testing.T) {
	t.Parallel()
	h := open(t, plan{})
	id, card := h.asked(mdesim.NameHost)
	require.Contains(t, h.pressed(slacksim.Bob, card, "Approve"), "it is approved")
	h.signer = newSigner(t, 2)
	h.verifier = verifierOf(t, h.signer)
	h.again(plan{})
	h.sent(0)
	require.Equal(t, approvals.Cancelled, h.state(id).State)
	h.sound()
}
