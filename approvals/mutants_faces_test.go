package approvals_test

// mutantsOfFaces are breaks of what guards Slack's press, its typed confirmation and its signed requests, and of what a worker
// asks before it changes, scans or reads a Nexus cluster.
func mutantsOfFaces() []mutant {
	const bot, clusters = "../internal/slackbot", "../tools"
	return []mutant{
		{"a copied card is the card", "../internal/slackbot/votes.go", "case p.card != cards.Place{Channel: m.Channel, TS: m.TS}:", "case false:", bot, "TestForgedAndCopiedCardsCountNothing"},
		{"nothing has to be typed", "../internal/slackbot/typed.go", "verdict == approvals.VerdictDeny || t.Met(p.typed)", "verdict == approvals.VerdictDeny || t.Met(p.typed) || t.Label != \"\"", bot, "TestNoForgedYesDoesWithoutTyping"},
		{"an old signature is a signature", "../internal/slackbot/intake/signed.go", "; apart > window {", "; apart < 0 {", bot + "/intake", "TestWhatIsNotSignedJustNowIsRefused|TestTheWindowIsThatOfTheClock"},
		{"nobody signs", "../internal/slackbot/intake/signed.go", "if err := v.Ensure(); err != nil {", "if err := v.Ensure(); err != nil && len(body) == 0 {", bot + "/intake", "TestWhatIsNotSignedJustNowIsRefused"},
		{"a plan states any risk", "worker/advance.go", "!tool.States(r.Plan.Risk)", "!tool.States(tool.Risk)", "./worker", "TestAPlanFromAFaceThatLies"},
		{"all steps at a time", "plan.go", "return under >= p.Parallel", "return under < 0", "./worker", "TestNoMoreStepsAreUnderWay"},
		{"a level is set from any other", "../tools/nexus_level.go", "if now.Level != step.From {", "if false {", clusters, "Nexus|Cluster|Change|Level"},
		{"a lowering is any change", "../tools/nexus_level.go", "if isLowering(step.From, step.To) && t.Plan.Risk != approvals.RiskExecute {", "if false {", clusters, "TestAWorkerRefusesALowering"},
		{"nodes above their cluster don't count", "../tools/nexus_level.go", "isLowering(c.Level, to) || len(loweredAlone(c, nodes, to)) > 0", "isLowering(c.Level, to)", clusters, "TestANodeAboveItsCluster"},
		{"a scan is a scan at any level", "../tools/nexus_scan.go", "if now.Level != step.Level {", "if false {", clusters, "TestAScanThatWouldRemediate"},
		{"anybody's scan is ours", "../tools/nexus_scan.go", "correlationOf(t))\n\treturn with.nexus.receipt(t, nexus.Accepted{}), ours, nil", "correlationOf(t)) || seen\n\treturn with.nexus.receipt(t, nexus.Accepted{}), ours, nil", clusters, "TestAScanThatWasLost"},
		{"an etag fits any state", "../nexus/clusters.go", "case strings.TrimSpace(read.ETag) == \"*\":", "case false:", "../nexus", "TestWritesRefuseBadInput"},
	}
}
