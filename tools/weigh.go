package tools

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

const (
	// defaultWeighLimit is how long a plan waits for what its approvers would like to know besides.
	defaultWeighLimit = 3 * time.Second
	// maxUsers is how many accounts a target names, and maxUsersRead how many are looked through for the latest.
	maxUsers, maxUsersRead = 3, 1000
)

// weigh adds what approvers weigh about a device and what a plan can do without: who was logged on last, and how many alerts
// are open. It never stops a plan: what can't be read in time is not known, and the card says so. Annotations change nothing
// on a device, and a fleet would cost more calls than a minute has, so neither is looked up.
func (s *session) weigh(ctx context.Context, plan *approvals.Plan) {
	devices := weighed(plan)
	if plan.Risk == approvals.RiskAnnotate || len(devices) > approvals.MaxWeighed {
		return
	}
	// A budget that is spent must not keep what is urgent waiting.
	ctx, cancel := context.WithTimeout(mdecore.WithoutWaiting(ctx), s.weighLimit)
	defer cancel()
	var g errgroup.Group
	g.SetLimit(2 * lookups)
	for id, same := range devices {
		g.Go(func() error {
			users, err := s.lastUsers(ctx, id)
			s.unweighed(ctx, "users", id, err)
			for _, t := range same {
				t.Users = users
			}
			return nil
		})
		g.Go(func() error {
			n, err := s.reader.CountMachineAlerts(ctx, id, mdecore.Ne("status", "Resolved"))
			s.unweighed(ctx, "open alerts", id, err)
			if err == nil {
				for _, t := range same {
					t.OpenAlerts = &n
				}
			}
			return nil
		})
	}
	_ = g.Wait() // none of them fails
}

// weighed are the devices among a plan's targets and among what it lets go on, by their ids.
func weighed(plan *approvals.Plan) map[string][]*approvals.Target {
	lists := [][]approvals.Target{plan.Targets}
	if plan.Resumes != nil {
		lists = append(lists, plan.Resumes.Targets)
	}
	devices := map[string][]*approvals.Target{}
	for _, list := range lists {
		for i := range list {
			if list[i].Kind == kindDevice {
				devices[list[i].ID] = append(devices[list[i].ID], &list[i])
			}
		}
	}
	return devices
}

// lastUsers are the accounts that were logged on to a device last; an empty list when there are none, nil beside an error.
func (s *session) lastUsers(ctx context.Context, id string) ([]string, error) {
	var read []*mdecore.User
	for u, err := range s.reader.ListMachineLogonUsers(ctx, id) {
		if mdecore.IsNotFound(err) && len(read) == 0 {
			break // the API's answer for none: the device itself was found
		}
		if err != nil {
			return nil, err
		}
		if read = append(read, u); len(read) == maxUsersRead {
			break
		}
	}
	return latestAccounts(read), nil
}

// latestAccounts are the first of users, the latest first. None is an empty list, because nil is not known.
func latestAccounts(users []*mdecore.User) []string {
	slices.SortStableFunc(users, latestUser)
	accounts := []string{}
	for _, u := range users[:min(len(users), maxUsers)] {
		accounts = append(accounts, viewOfDeviceUser(u).Account)
	}
	return accounts
}

// unweighed logs what could not be looked up.
func (s *session) unweighed(ctx context.Context, what, device string, err error) {
	if err != nil {
		s.log.InfoContext(ctx, "approvers will not be told something about a device, because it could not be read",
			slog.String("what", what), slog.String("device", device), slog.Any("error", err))
	}
}
