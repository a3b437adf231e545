// Package slackbot is the Slack face: responders type /mde commands, approvers press the buttons of a card.
//
// It is the only face that counts votes, because it is the only one that can say which person pressed: every press is
// looked up with users.info at that moment, and a guest, a bot, a stranger or a failed look-up is refused. A vote is
// committed before Slack is told that the press arrived; when it could not be, the person reads "not saved, press again".
//
// Slack is reached through Socket Mode on two connections, because one connection leaves a gap whenever Slack asks for a
// fresh one. Slack delivers at least once, so commands are remembered by their delivery and votes by their person.
//
// Everything shown is untrusted unless the gate computed it: values travel as plain_text, escaped first and cut after. A
// card that had to be cut has no Approve button.
package slackbot
