package slackbot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/internal/slackbot/blockkit"
	"github.com/mde-ops/mde-ops/internal/slackbot/intake"
)

// HTTP is where requests of Slack are taken, and whose signature they must have.
type HTTP struct {
	// Addr is the address to listen to, such as 127.0.0.1:3000; Listener, where it is set, is listened to instead.
	Addr     string
	Listener net.Listener
	// SigningSecret is the app's.
	SigningSecret string
}

// newIntake makes the way in which the bot hears of what people do.
func newIntake(o Options, c *client) (intake.Intake, error) {
	if o.HTTP != nil {
		return intake.NewHTTP(intake.HTTPOptions{
			Addr: o.HTTP.Addr, Listener: o.HTTP.Listener, SigningSecret: o.HTTP.SigningSecret, Deadline: o.AckDeadline,
			Seen: signatures{o.Store, o.Clock}, Again: ephemeral(blockkit.Text(seenBefore)), Clock: o.Clock, Logger: o.Logger,
		})
	}
	var clients []*socketmode.Client
	for range o.Connections {
		clients = append(clients, socketmode.New(c.api, socketmode.OptionReadLimit(1<<20), socketmode.OptionLog(log.New(io.Discard, "", 0))))
	}
	return intake.NewSockets(intake.SocketOptions{Clients: clients, Deadline: o.AckDeadline, Final: permanent, Logger: o.Logger}), nil
}

// permanent returns what to tell the operator when err can't pass by itself, and nil otherwise.
func permanent(err error) error {
	var status slack.StatusCodeError
	if errors.As(err, &status) && status.Code == http.StatusNotFound {
		return fmt.Errorf("slack has no Socket Mode at the configured address (HTTP 404): check the Slack API address: %w", err)
	}
	switch code := errorCode(err); code {
	case "invalid_auth", "account_inactive", "not_authed", "token_revoked", "token_expired", "not_allowed_token_type", "missing_scope":
		return fmt.Errorf("slack refuses the app-level token (%s): %s", code, hint(code))
	}
	return nil
}

// signatures remembers in the store what was signed, so that every replica knows it.
type signatures struct {
	memory memory
	clock  func() time.Time
}

// FirstTime implements intake.Memory.
func (s signatures) FirstTime(ctx context.Context, scope, key string) (first bool, err error) {
	err = s.memory.InTx(ctx, func(tx *store.Tx) error {
		first, err = tx.FirstTime(ctx, scope, key, s.clock())
		return err
	})
	return first && err == nil, err
}
