package app

import (
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// The ways in which Slack delivers.
const (
	SlackSocket = "socket"
	SlackHTTP   = "http"
)

var teamID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^T[A-Z0-9]{2,30}$`) })

// OverHTTP reports whether Slack delivers over signed HTTP.
func (s Slack) OverHTTP() bool { return s.Mode == SlackHTTP }

// Renews reports whether the bot token is renewed.
func (s Slack) Renews() bool { return s.RefreshToken.Reveal() != "" }

// check finds what is wrong with the settings of Slack, whoever uses them.
func (s Slack) check() faults {
	bad := s.ids()
	if s.Mode != SlackSocket && s.Mode != SlackHTTP {
		bad.add("MDE_SLACK_MODE: %q is not valid here: want socket (Socket Mode) or http (signed requests)", s.Mode)
	}
	if s.TypedAbove < 1 {
		bad.add("MDE_SLACK_TYPED_ABOVE: %d is not valid here: want the most targets that a press alone approves, 1 or more", s.TypedAbove)
	}
	if _, err := ReadPeople(s.PeopleFile); err != nil {
		bad.add("%v", err)
	}
	if s.HTTPAddr != "" {
		if _, port, err := net.SplitHostPort(s.HTTPAddr); err != nil || port == "" {
			bad.add("MDE_SLACK_HTTP_ADDR: %q is not valid here: want an address and a port, such as 127.0.0.1:3000", s.HTTPAddr)
		}
		if s.Mode == SlackSocket {
			bad.add("MDE_SLACK_HTTP_ADDR is set, and nobody would listen there: set MDE_SLACK_MODE=http, or don't set it")
		}
	}
	return bad
}

// ids checks the settings that are Slack ids, because a name in their place would match nothing at run time.
func (s Slack) ids() faults {
	var bad faults
	for _, id := range append(slices.Clone(s.Channels), s.ApprovalChannel) {
		if id != "" && !channelID().MatchString(id) {
			bad.add("%q is not the id of a Slack channel (MDE_SLACK_CHANNELS, MDE_SLACK_APPROVAL_CHANNEL): copy it from the channel's details, it begins with C or G", id)
		}
	}
	if s.ResponderGroup != "" && !groupID().MatchString(s.ResponderGroup) {
		bad.add("MDE_SLACK_RESPONDER_GROUP: %q is not the id of a Slack user group, which begins with S", s.ResponderGroup)
	}
	if s.Team != "" && !teamID().MatchString(s.Team) {
		bad.add("MDE_SLACK_TEAM: %q is not the id of a Slack workspace, which begins with T; an organization (E…) can't be served as a whole", s.Team)
	}
	return bad
}

// botToken checks that there is a bot token, or what one is renewed with.
func (c Config) botToken() faults {
	var bad faults
	s := c.Slack
	renewing := map[string]string{
		"MDE_SLACK_CLIENT_ID": s.ClientID, "MDE_SLACK_CLIENT_SECRET": s.ClientSecret.Reveal(), "MDE_SLACK_REFRESH_TOKEN": s.RefreshToken.Reveal(),
	}
	var set, missing []string
	for _, name := range []string{"MDE_SLACK_CLIENT_ID", "MDE_SLACK_CLIENT_SECRET", "MDE_SLACK_REFRESH_TOKEN"} {
		switch {
		case renewing[name] != "":
			set = append(set, name)
		case c.missing(name, ""):
			missing = append(missing, name)
		}
	}
	switch t := s.BotToken.Reveal(); {
	case len(set) > 0 && len(missing) > 0:
		bad.add("%s is set and %s is not: to renew the bot token all of them are needed", strings.Join(set, ", "), strings.Join(missing, ", "))
	case len(set) > 0 && c.Set["MDE_SLACK_BOT_TOKEN"]:
		bad.add("MDE_SLACK_BOT_TOKEN (or _FILE) and MDE_SLACK_REFRESH_TOKEN are both set: keep one; a token that is renewed is kept in the store")
	case len(set) > 0:
	case c.missing("MDE_SLACK_BOT_TOKEN", t) && len(missing) == len(renewing):
		bad.add("MDE_SLACK_BOT_TOKEN (or _FILE) is not set: the xoxb- token of the installed app")
	case strings.HasPrefix(t, "xoxe."):
		bad.add("MDE_SLACK_BOT_TOKEN is a token that expires: set MDE_SLACK_CLIENT_ID, MDE_SLACK_CLIENT_SECRET and MDE_SLACK_REFRESH_TOKEN instead of it")
	case t != "" && !strings.HasPrefix(t, "xoxb-"):
		bad.add("MDE_SLACK_BOT_TOKEN does not begin with xoxb-: use the app's bot token")
	}
	if t := s.RefreshToken.Reveal(); t != "" && !strings.HasPrefix(t, "xoxe-") {
		bad.add("MDE_SLACK_REFRESH_TOKEN does not begin with xoxe-: use the app's refresh token")
	}
	return bad
}

// deliveries checks what the way needs by which Slack delivers.
func (c Config) deliveries() faults {
	var bad faults
	s := c.Slack
	switch s.Mode {
	case SlackHTTP:
		if c.missing("MDE_SLACK_HTTP_ADDR", s.HTTPAddr) {
			bad.add("MDE_SLACK_HTTP_ADDR is not set: the address to listen to for the proxy that speaks TLS, such as 127.0.0.1:3000")
		}
		if c.missing("MDE_SLACK_SIGNING_SECRET", s.SigningSecret.Reveal()) {
			bad.add("MDE_SLACK_SIGNING_SECRET (or _FILE) is not set: the signing secret of the app, without which nothing that comes over HTTP can be believed")
		}
	case SlackSocket:
		if t := s.AppToken.Reveal(); c.missing("MDE_SLACK_APP_TOKEN", t) {
			bad.add("MDE_SLACK_APP_TOKEN (or _FILE) is not set: an xapp- token with the scope connections:write")
		} else if t != "" && !strings.HasPrefix(t, "xapp-") {
			bad.add("MDE_SLACK_APP_TOKEN does not begin with xapp-: use an app-level token")
		}
	}
	return bad
}

// exposed reports whether machines other than this one reach the address for Slack without a proxy.
func (s Slack) exposed() bool {
	host, _, err := net.SplitHostPort(s.HTTPAddr)
	if err != nil || !s.OverHTTP() {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host != "localhost" && (err != nil || !ip.Unmap().IsLoopback())
}
