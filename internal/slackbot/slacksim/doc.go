// Package slacksim is a simulated Slack workspace: a stateful server that speaks the Web API and Socket Mode on loopback, and
// the hands of the people in it.
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
// What Slack promises is followed where it is documented. Where it is not, the harsher behaviour is simulated: for example
// every kind of unacknowledged envelope is delivered again, although Slack documents that for events only.
//
// The package imports nothing of the bot and not the bot's Slack library either, so that a mistake shared by both ends of
// the wire is less likely.
package slacksim
