package slackbot

import (
	"context"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackevents"

	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/internal/slackbot/intake"
)

// What a command of another workspace is answered. The person there can't mend it, but can tell who can.
const (
	sayElsewhere = "This mde-ops serves another workspace; nothing was done. Tell whoever installed the app here."
	sayOrgWide   = "The app is installed for a whole organization, and mde-ops serves one workspace only; nothing was done. Tell whoever installed it to install it into one workspace."
)

// fromElsewhere turns a delivery away that is not of the workspace that is served. Whether the person belongs to that
// workspace is another question, which every handler asks for itself.
func (b *Bot) fromElsewhere(ctx context.Context, d intake.Delivery) bool {
	team, orgWide, known := installation(d.Data)
	say := sayElsewhere
	switch {
	case orgWide:
		say = sayOrgWide
	case known && (b.team == "" || team == b.team):
		return false
	}
	b.log.WarnContext(ctx, "a delivery for another workspace than the one that is served was refused", "type", string(d.Kind), "team", team, "served", b.team, "organization", orgWide)
	switch d.Kind {
	case intake.Command:
		b.ack(ctx, d, ephemeral(blockkit.Text(say)))
	case intake.Options:
		b.ack(ctx, d, noOptions())
	default:
		b.ack(ctx, d, nil)
	}
	return true
}

// installation is the workspace for which something was delivered, and whether the app is installed for a whole
// organization; false when that can't be told.
func installation(data any) (team string, orgWide, known bool) {
	switch v := data.(type) {
	case slack.SlashCommand:
		return v.TeamID, v.IsEnterpriseInstall, true
	case slack.InteractionCallback:
		return v.Team.ID, v.IsEnterpriseInstall, true
	case slackevents.EventsAPIEvent:
		outer, ok := v.Data.(*slackevents.EventsAPICallbackEvent)
		if !ok {
			return v.TeamID, false, true
		}
		for _, a := range outer.Authorizations {
			orgWide = orgWide || a.IsEnterpriseInstall
		}
		return v.TeamID, orgWide, true
	}
	return "", false, false
}
