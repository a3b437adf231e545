package slackbot

import "github.com/mde-ops/mde-ops/approvals"

// renderUnverified stands where a request would be shown that is not what it was made with (approvals.Genuine). Whoever
// can write into the store could otherwise have people read one plan and approve another. It shows nothing of the plan,
// because nobody knows who wrote it, and has nothing to press.
func renderUnverified(r approvals.Request) message {
	c := newComposer()
	c.header("Does not verify: request " + r.ID)
	c.lines(unverified(r)...)
	return c.message("Request "+r.ID+" does not verify", "")
}

func unverified(r approvals.Request) []string {
	return []string{
		"What is stored about request " + r.ID + " is not what it was made with, so it is not shown and nobody can vote on it.",
		"Tell your administrators: somebody or something changed the database. If the request is still wanted, make it again.",
	}
}
