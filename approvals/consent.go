package approvals

// Consentable reports whether a requester's yes in their own MCP client is enough for a plan that policy wants confirmed. The
// yes is no more than the client's word, which an assistant could give as well, so it serves annotations and nothing above,
// and only a person who proved who they are.
func Consentable(p Plan, by Requester) bool {
	return p.Risk == RiskAnnotate && p.TimeBox == nil && p.Resumes == nil && by.Via == ViaMCP && by.Verified
}

// consented reports whether r was confirmed by its requester's client.
func (r Request) consented() bool {
	return r.Terms.ClientConsent && r.Outcome == Confirm && Consentable(r.Plan, r.Requester)
}

// byWord refuses what says that it was confirmed by a client and could not have been.
func byWord(r Request) error {
	if !r.Terms.ClientConsent || r.consented() {
		return nil
	}
	return Refuse(KindDenied, nil,
		"request %s says that its requester confirmed it in their client, whose word is only enough for annotations over MCP by somebody who proved who they are", r.ID)
}
