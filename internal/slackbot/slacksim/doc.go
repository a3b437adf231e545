// Package slacksim is a simulated Slack workspace: a stateful server that speaks the Web API, Socket Mode and signed HTTP on
// loopback, and the hands of the people in it.
//
// It exists so that the bot's tests, the terminal demo and load runs meet the same Slack: messages are stored and edited, a
// removed button can't be pressed, an envelope that isn't acknowledged in time comes again, a trigger works once, a dialog
// refuses what Slack would refuse. Behaviour is a documented field of Workspace; what goes wrong is asked for with Fail,
// DropConnections, Disconnect, CutAfterSending and CutBeforeAck.
//
// A Workspace's zero value is ready:
//
//	ws := new(slacksim.Workspace)
//	ws.Cast()
//	srv, err := ws.Start()
//	defer srv.Close()
//	api := slack.New(ws.Tokens().Bot, slack.OptionAPIURL(srv.APIURL()), slack.OptionAppLevelToken(ws.Tokens().App))
//	out, err := ws.Command(ctx, "alice", "#security", "/mde", "isolate host01")
//
// # What is simulated
//
//   - Tokens: in the header or the body, with the scopes that each method needs, and, where RefreshToken is set, tokens that
//     end and are renewed. Revoking, uninstalling and the manifest that was installed.
//   - Messages, threads, messages for one person, direct messages, files in three steps, response_urls, modals in a stack, Home
//     tabs with their hashes, triggers, menus whose options the app gives.
//   - Block Kit by its published rules: see blockKit for every block, element and size. Whatever is not there is refused with
//     a JSON pointer, as are a field of another kind, one that is unknown, and one that is missing. Fires says what would
//     notify or link.
//   - Socket Mode: tickets, hello, pings, ten connections of which each envelope meets a random one, deadlines, redelivery,
//     the reasons of a disconnect, answers that are too long.
//   - HTTP: signed requests, 3 s for an answer, events that come again, url_verification; Sent, Sign and Resend are what an
//     attacker has.
//   - Rate limits by method and by channel, where RateLimits is set.
//
// # What is not
//
// Installing by OAuth, organizations, search and history, messages with metadata subscriptions, the newer blocks (rich text,
// tables, cards, plans) and input blocks in messages, which this app does not use. Requests of Slack Connect come from the
// people that Cast makes strangers. Slack's own words for a refused block differ; its codes and pointers don't.
//
// What Slack promises is followed where it is documented. Where it is not, the harsher behaviour is simulated: for example
// every kind of unacknowledged envelope is delivered again over a socket, although Slack documents that for events only.
//
// The package imports nothing of the bot and not the bot's Slack library either, so that a mistake shared by both ends of
// the wire is less likely.
package slacksim
