package report

import "math"

const statusQuarantined = "quarantined"

// threatList reads a field of threatInformation.
func (d *decoder) threatList(n name) error {
	switch n.folded {
	case "list":
		return d.in('{', "", func() error { return d.object(d.listField) })
	case "quarantinelist":
		return d.in('{', "", func() error { return d.object(d.quarantineField) })
	}
	return d.unknown()
}

// listField reads a field of threatInformation.list, which is what `mdatp threat list --output json` prints: its scans are
// at threats.scans.
func (d *decoder) listField(n name) error {
	if n.folded != "threats" {
		return d.unknown()
	}
	return d.in('{', "", func() error {
		return d.object(func(n name) error {
			if n.folded != "scans" {
				return d.unknown()
			}
			return d.in('[', sectionThreatList, func() error { return d.array(d.scan) })
		})
	})
}

func (d *decoder) quarantineField(n name) error {
	switch n.folded {
	case "type":
		return d.quarantineType()
	case "threats":
		return d.in('[', sectionQuarantine, func() error { return d.array(d.quarantined) })
	}
	return d.unknown()
}

// quarantineType keeps the word only if it is not the one that is always there.
func (d *decoder) quarantineType() error {
	v, err := d.value()
	if err != nil {
		return err
	}
	if word, _, _ := v.text(maxName); word != statusQuarantined && !v.null() {
		d.keep(v)
	}
	return nil
}

// quarantined reads an entry of the quarantine: whatever its history says, it is there now.
func (d *decoder) quarantined() error {
	entry, err := d.threatEntry()
	if err != nil || entry == nil {
		return err
	}
	entry.Status = statusQuarantined
	return d.quarantine.add(*entry)
}

// scan reads an entry of one of the two lists of scans: scanList writes strings under names like startTime, the other one
// numbers under names like start_time.
func (d *decoder) scan() error {
	if c, err := d.peek(); err != nil || c != '{' {
		if err != nil {
			return err
		}
		return d.unknown()
	}
	if d.path[len(d.path)-1].index >= maxScans {
		return tooMany("scans", maxScans)
	}
	var s Scan
	err := d.object(func(n name) error {
		switch n.folded {
		case "type":
			return d.wordField(&s.Type)
		case "state":
			return d.wordField(&s.State)
		case "starttime":
			return d.timeField(&s.StartMS)
		case "endtime":
			return d.timeField(&s.EndMS)
		case "filesscanned":
			return d.numberField(&s.Files, math.MaxInt64)
		case "threats":
			return d.scanThreats(&s)
		}
		return d.unknown()
	})
	if err != nil || s.empty() {
		return err
	}
	s.Start, s.End = timeOf(s.StartMS), timeOf(s.EndMS)
	return d.addScan(s)
}

// empty tells that nothing of a scan could be read.
func (s *Scan) empty() bool {
	return s.Type == "" && s.State == "" && s.StartMS == 0 && s.EndMS == 0 && s.Files == 0 && len(s.Threats) == 0
}

// scanThreats reads what a scan found: ids, or threats as objects.
func (d *decoder) scanThreats(s *Scan) error {
	if c, err := d.peek(); err != nil || c != '[' {
		if err != nil {
			return err
		}
		return d.unknown()
	}
	return d.array(func() error {
		entry, err := d.threatEntry()
		if err != nil || entry == nil {
			return err
		}
		s.Threats = append(s.Threats, entry.label())
		if entry.bare {
			return nil // whether more is known of it can be told at the end only
		}
		return d.threats.add(*entry)
	})
}
