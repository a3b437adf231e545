package slackbot_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// clicksEnv says how many clicks TestManyClicksHaveOneOutcome makes; a plain run makes a few hundred.
const clicksEnv = "MDE_TEST_CLICKS"

// A hundred people press at once, again and again: approvers, people who may not approve, the requester, guests. Whatever
// the order, the request ends once, by votes of distinct approvers, and Defender sees one write at most.
func TestManyClicksHaveOneOutcome(t *testing.T) {
	t.Parallel()
	clicks := 400
	if text := os.Getenv(clicksEnv); text != "" {
		n, err := strconv.Atoi(text)
		require.NoError(t, err, clicksEnv)
		clicks = n
	}
	const people, approvers = 100, 60
	h := newHouse(t, plan{approvers: 5, groupTTL: 30 * time.Second, workspace: func(w *slacksim.Workspace) { w.RedeliverAfter = 3 * time.Second }})
	crowd := h.crowd(people)
	h.SetGroup(slacksim.OnCall, crowd[:approvers]...)
	card, id := h.isolate(t)
	asked := h.Calls("usergroups.users.list")

	var wg sync.WaitGroup
	for p := range people {
		wg.Go(func() {
			who, dice := crowd[p], rand.New(rand.NewPCG(7, uint64(p)))
			for range clicks / people {
				button := "Approve"
				if dice.IntN(10) == 0 {
					button = "Details"
				}
				if _, err := h.ClickStale(context.Background(), who, card, button); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	r := h.settled(t, id)
	require.Equal(t, approvals.Succeeded, r.State)
	require.Len(t, r.Votes, 5)
	voters := map[string]bool{}
	for _, v := range r.Votes {
		voters[v.Voter.ID] = true
	}
	require.Len(t, voters, 5, "each person counts once")
	require.Equal(t, 1, h.isolations())
	require.Less(t, h.Calls("usergroups.users.list")-asked, 20, "the members of a group are asked for once for all clicks of half a minute")
}

// crowd adds people to the workspace and returns their ids; the last ten are guests.
func (h *house) crowd(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("UCROWD%03d", i)
		h.AddUser(slacksim.User{ID: ids[i], Name: fmt.Sprintf("crowd%d", i), RealName: fmt.Sprintf("Crowd %d", i), Email: fmt.Sprintf("crowd%d@contoso.com", i), EmailConfirmed: true, Restricted: i >= n-10})
	}
	return ids
}

// settled waits for the end of a request.
func (h *house) settled(t testing.TB, id string) approvals.Request {
	t.Helper()
	require.Eventually(t, func() bool {
		r, err := h.gate.Get(context.Background(), id)
		return err == nil && r.State.Terminal()
	}, patience, 20*time.Millisecond)
	return h.state(t, id)
}

// isolations are the isolations that the tenant was sent.
func (h *house) isolations() int {
	n := 0
	for asked, times := range h.tenant.Requests() {
		if asked.Method == http.MethodPost && asked.Path == "/api/machines/"+h.tenant.Device(mdesim.NameHost).ID+"/isolate" {
			n += times
		}
	}
	return n
}
