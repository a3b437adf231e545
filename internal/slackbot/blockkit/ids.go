package blockkit

import (
	"regexp"
	"sync"
)

// What Slack's ids look like. Whatever stands in a mention or a link is not escaped, so nothing else may be written there.
var (
	channelID = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[CGD][A-Z0-9]{2,30}$`) })
	groupID   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^S[A-Z0-9]{2,30}$`) })
	teamID    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^T[A-Z0-9]{2,30}$`) })
	userID    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[UW][A-Z0-9]{2,30}$`) })
)

// IsChannel reports whether id is of the form of a channel's (C…, G… or D…).
func IsChannel(id string) bool { return channelID().MatchString(id) }

// IsGroup reports whether id is of the form of a user group's (S…).
func IsGroup(id string) bool { return groupID().MatchString(id) }

// IsTeam reports whether id is of the form of a workspace's (T…).
func IsTeam(id string) bool { return teamID().MatchString(id) }

// IsUser reports whether id is of the form of a person's (U… or W…).
func IsUser(id string) bool { return userID().MatchString(id) }
