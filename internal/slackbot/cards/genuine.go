package cards

import (
	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
)

// renderUnverified stands where a request would be shown that is not what it was made with (approvals.Genuine). Whoever
// can write into the store could otherwise have people read one plan and approve another. It shows nothing of the plan,
// because nobody knows who wrote it, and has nothing to press.
func renderUnverified(r approvals.Request) blockkit.Message {
	c := blockkit.New()
	c.Header("Does not verify: request " + r.ID)
	c.Lines(unverified(r)...)
	return c.Message("Request "+r.ID+" does not verify", "")
}

func unverified(r approvals.Request) []string {
	return []string{
		"What is stored about request " + r.ID + " is not what it was made with, so it is not shown and nobody can vote on it.",
		"Tell your administrators: somebody or something changed the database. If the request is still wanted, make it again.",
	}
}
