package report

// healthField reads a field of generalHealth, which is what `mdatp health --output json` prints.
func (d *decoder) healthField(n name) error {
	h := &d.report.Health
	switch n.folded {
	case "healthy":
		return d.boolField(&h.Healthy)
	case "healthissues":
		return d.healthIssues()
	case "licensed":
		return d.boolField(&h.Licensed)
	case "edrmachineid":
		return d.textField(&h.EDRMachineID, maxName)
	case "appversion":
		return d.textField(&h.AppVersion, maxName)
	case "engineversion":
		return d.textField(&h.EngineVersion, maxName)
	case "realtimeprotectionenabled":
		return d.boolField(&h.RealTimeProtection)
	case "passivemodeenabled":
		return d.boolField(&h.PassiveMode)
	case "tamperprotection":
		return d.textField(&h.TamperProtection, maxName)
	case "definitionsversion":
		return d.textField(&h.DefinitionsVersion, maxName)
	case "definitionsstatus":
		return d.textField(&h.DefinitionsStatus, maxName)
	case "definitionsupdated":
		var ms int64
		err := d.timeField(&ms)
		h.DefinitionsUpdated = timeOf(ms)
		return err
	}
	return d.unknown()
}

// healthIssues reads a list of texts, or the one text.
func (d *decoder) healthIssues() error {
	if c, err := d.peek(); err != nil || c == '[' {
		if err != nil {
			return err
		}
		return d.array(d.healthIssue)
	}
	return d.healthIssue()
}

func (d *decoder) healthIssue() error {
	if len(d.report.Health.Issues) == maxIssues {
		d.cut()
		return d.skip()
	}
	var text string
	if err := d.textField(&text, maxName); err != nil || text == "" {
		return err
	}
	d.report.Health.Issues = append(d.report.Health.Issues, text)
	return nil
}
