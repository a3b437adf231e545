package slackbot

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/slackbot/forms"
	"github.com/mde-ops/mde-ops/internal/slackbot/intake"
	"github.com/mde-ops/mde-ops/tools"
)

const (
	// findTool finds the devices that a menu offers, offered how many at most.
	findTool = "find_devices"
	offered  = 20
	// offersKept is how many questions are remembered, and offerLife how long: people type letter by letter, and Defender
	// counts the calls.
	offersKept = 200
	offerLife  = 15 * time.Second
)

// offers remembers what was found for what somebody typed into a menu, a short time and for that person only.
type offers struct {
	mu   sync.Mutex
	kept map[string]offer
}

type offer struct {
	devices []foundDevice
	at      time.Time
}

// foundDevice is what a menu shows of a device.
type foundDevice struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	OS     string `json:"os_platform"`
	Health string `json:"health"`
}

func (o *offers) get(key string, now time.Time) ([]foundDevice, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	found, ok := o.kept[key]
	age := now.Sub(found.at)
	return found.devices, ok && age >= 0 && age < offerLife
}

func (o *offers) put(key string, found []foundDevice, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.kept == nil || len(o.kept) >= offersKept {
		o.kept = map[string]offer{}
	}
	o.kept[key] = offer{found, now}
}

// pickDevice answers a menu of devices: those of the tenant whose names begin with what was typed, and what was typed itself,
// which the tool looks up or refuses like any other word. When Defender does not answer in time only that is left.
func (b *Bot) pickDevice(ctx context.Context, e intake.Delivery, ic slack.InteractionCallback) {
	typed := strings.TrimSpace(ic.Value)
	person, err := b.responder(e.Due, teamOf(ic), ic.User.ID)
	if err != nil || typed == "" {
		b.log.InfoContext(ctx, "a menu of devices was refused", "user", ic.User.ID, "error", err)
		b.ack(ctx, e, noOptions())
		return
	}
	options := []*slack.OptionBlockObject{}
	for _, d := range b.devicesLike(e.Due, person, typed) {
		options = append(options, forms.Option(d.String(), d.ID))
	}
	options = append(options, forms.Option("as typed: "+typed, typed))
	b.ack(ctx, e, slack.OptionsResponse{Options: options})
}

// String is a device as a menu shows it: its name and the beginning of its id, because names are not unique.
func (d foundDevice) String() string {
	return cmp.Or(d.Name, "(no name)") + " · " + d.ID[:min(8, len(d.ID))] + "… · " + d.OS + " " + d.Health
}

func (b *Bot) devicesLike(ctx context.Context, person approvals.Person, typed string) []foundDevice {
	key := person.ID + "\x00" + strings.ToLower(typed)
	if found, ok := b.offers.get(key, b.clock()); ok {
		return found
	}
	args, err := json.Marshal(map[string]any{"name_prefix": typed, "limit": offered})
	if err != nil {
		return nil
	}
	res, err := b.dispatcher.Call(ctx, tools.Call{
		Tool: findTool, Args: args, Requester: approvals.Requester{Person: person, Verified: true, Via: approvals.ViaSlack},
	})
	if err != nil {
		b.log.InfoContext(ctx, "a menu of devices could not be filled", "error", err)
		return nil
	}
	found := devicesIn(res)
	b.offers.put(key, found, b.clock())
	return found
}

// devicesIn reads the devices of a tool's answer as any client would.
func devicesIn(res tools.Result) []foundDevice {
	var out struct {
		Devices []foundDevice `json:"devices"`
	}
	raw, err := json.Marshal(res.Output)
	if err != nil || json.Unmarshal(raw, &out) != nil {
		return nil
	}
	return out.Devices
}
