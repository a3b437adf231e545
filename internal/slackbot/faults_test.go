package slackbot

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/cards"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

// broken stands for a defect on a vote's way.
type broken struct{}

func (broken) Answer(context.Context, approvals.Plan, approvals.Requester) (approvals.Decision, error) {
	panic("a defect")
}

func (broken) Get(context.Context, string) (approvals.Request, error) { panic("a defect") }

func TestDefectOnAVotesWayEndsOnlyTheVote(t *testing.T) {
	t.Parallel()
	w := newWall(t)
	people, err := NewPeople(PeopleOptions{APIURL: w.slack.url, BotToken: w.Tokens().Bot})
	require.NoError(t, err)
	team, err := people.ownTeam(t.Context())
	require.NoError(t, err)
	var journal strings.Builder
	b := &Bot{slack: w.slack, people: people, requests: broken{}, log: slog.New(slog.NewTextHandler(&journal, nil))}
	p := press{team: team, user: slacksim.Bob, stamp: cards.Stamp{ID: "ABCD1234", Digest: strings.Repeat("0", 64)}}
	answer, err := b.vote(t.Context(), p, approvals.VerdictApprove, "")
	require.ErrorIs(t, err, errVoteBroke)
	require.Contains(t, answer, "Perhaps not saved")
	require.Contains(t, journal.String(), "a defect")
}

func TestWhatIsNotCountedSaysWhatToDo(t *testing.T) {
	t.Parallel()
	refuse := func(k approvals.Kind) error { return approvals.Refuse(k, nil, "why") }
	for _, c := range []struct {
		err  error
		want string
	}{
		{refuse(approvals.KindNoAnswer), "Not saved, press again. (why)"},
		{refuse(approvals.KindStore), "Perhaps not saved: look at the card, and press again if your vote does not show there."},
		{context.DeadlineExceeded, "Perhaps not saved: look at the card"},
		{errors.New("anything"), "Perhaps not saved: look at the card"},
		{refuse(approvals.KindTampering), "Don't press again"},
		{refuse(approvals.KindNotVoter), "Not counted: why"},
		{refuse(approvals.KindConflict), "Not counted: why"},
	} {
		require.Contains(t, notCounted(c.err), c.want)
	}
}

func TestTokensDontTravelInClear(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{
		"http://slack.example.com/api/", "http://127.0.0.1.example.com/api/", "http://10.0.0.1/", "http://localhost.example.com/",
		"http://xoxb-secret@slack.example.com/", "ftp://slack.com/", "slack.com", "://",
	} {
		_, err := newClient(clientOptions{APIURL: bad, BotToken: "xoxb-1"})
		require.ErrorContains(t, err, "https", bad)
		require.NotContains(t, err.Error(), "secret")
	}
	for _, good := range []string{"", "https://slack.example.com/api", "http://127.0.0.1:8080/api/", "http://[::1]:8080/", "http://localhost:1/"} {
		_, err := newClient(clientOptions{APIURL: good, BotToken: "xoxb-1"})
		require.NoError(t, err, good)
	}
}
