package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"time"
)

const (
	maxName    = 1 << 10
	maxPath    = 4 << 10
	maxRaw     = 16 << 10
	maxRawAll  = 64 << 10
	maxCut     = 100
	maxCuts    = 100_000 // how often it is looked whether a path is in Cut
	maxIssues  = 100
	maxTimeMS  = 253402300799999 // the end of the year 9999, after which RFC 3339 has no form
	maxWords   = 500
	maxWordLen = 64
)

// The documented sections, as they are shown.
const (
	sectionDiagnostics   = "diagnosticInformation"
	sectionDefinitions   = "mdeDefinitions"
	sectionHealth        = "generalHealth"
	sectionConfiguration = "mdeConfiguration"
	sectionScans         = "scanList"
	sectionThreats       = "threatInformation"
	sectionThreatList    = sectionThreats + ".list"
	sectionQuarantine    = sectionThreats + ".quarantineList"
)

// sections are the documented ones at the top, in the order of the documentation.
func sections() []string {
	return []string{sectionDiagnostics, sectionDefinitions, sectionHealth, sectionConfiguration, sectionScans, sectionThreats}
}

// documented is the documented spelling of a section's name, so that paths are the same whatever agent wrote them.
func documented(folded string) string {
	for _, section := range append(sections(), "quarantineList") {
		if fold(section) == folded {
			return section
		}
	}
	return ""
}

// decoder builds a report.
type decoder struct {
	*scanner
	report Report
	found  []string // sections that were there and could be read
	known  bool     // there was at least one documented section
	kept   int      // bytes in Raw
	full   bool     // Raw is
	cuts   int      // how often something was left out
	words  map[string]string
	collector
}

// decode reads JSON up to its end; nothing may follow.
func decode(r io.Reader) (*Report, error) {
	d := &decoder{scanner: newScanner(r), words: map[string]string{}, collector: newCollector()}
	if err := d.whole(); err != nil {
		return nil, err
	}
	if !d.known {
		return nil, &Error{Fault: FaultInvalid, Text: "this is not a report: it is JSON, but none of its fields is a section of mde-agent-information, such as " +
			sectionHealth + "; see whether the file is another command's"}
	}
	if err := d.finish(&d.report); err != nil {
		return nil, err
	}
	d.report.Missing = d.missing()
	d.report.Size = d.offset()
	return &d.report, nil
}

// whole reads the one object and what may surround it.
func (d *decoder) whole() error {
	if d.more() && bytes.HasPrefix(d.buf[d.pos:d.end], []byte("\ufeff")) {
		d.take(len("\ufeff"))
	}
	if err := d.object(d.section); err != nil {
		return err
	}
	switch c, err := d.peek(); {
	case err == nil:
		return d.unexpected(c, "the end: something follows the report")
	case !errors.Is(d.err, io.EOF):
		return d.err
	}
	return nil
}

// section reads a field at the top.
func (d *decoder) section(n name) error {
	d.known = d.known || slices.Contains(sections(), n.text)
	switch n.text {
	case sectionDiagnostics, sectionConfiguration:
		return d.skipSection(n.text)
	case sectionDefinitions:
		return d.rawSection(n.text)
	case sectionHealth:
		return d.in('{', sectionHealth, func() error { return d.object(d.healthField) })
	case sectionScans:
		return d.in('[', sectionScans, func() error { return d.array(d.scan) })
	case sectionThreats:
		return d.in('{', sectionThreats, func() error { return d.object(d.threatList) })
	}
	return d.unknown()
}

// in reads a section that begins as it should. Another kind of value is kept raw, and the section counts as missing.
func (d *decoder) in(start byte, section string, read func() error) error {
	c, err := d.peek()
	if err != nil {
		return err
	}
	if c != start {
		return d.unknown()
	}
	d.find(section)
	return read()
}

func (d *decoder) find(section string) {
	if section != "" && !slices.Contains(d.found, section) {
		d.found = append(d.found, section)
	}
}

// skipSection passes a section that is not kept.
func (d *decoder) skipSection(section string) error {
	c, err := d.peek()
	if err == nil && c != 'n' {
		d.find(section)
	}
	if err != nil {
		return err
	}
	return d.skip()
}

// rawSection keeps a section of which only the name is documented.
func (d *decoder) rawSection(section string) error {
	if c, err := d.peek(); err == nil && c != 'n' {
		d.find(section)
	}
	return d.unknown()
}

// missing are the documented sections that were not found. The parts of one that is missing are not told as well.
func (d *decoder) missing() []string {
	wanted := sections()
	if slices.Contains(d.found, sectionThreats) {
		wanted = append(wanted, sectionThreatList, sectionQuarantine)
	}
	return slices.DeleteFunc(wanted, func(section string) bool { return slices.Contains(d.found, section) })
}

// unknown keeps the value that follows.
func (d *decoder) unknown() error {
	v, err := d.value()
	if err == nil && !v.null() {
		d.keep(v)
	}
	return err
}

// keep puts a value into Raw under its path, or its path into Cut. After the first one without room none is kept: there may
// be millions.
func (d *decoder) keep(v value) {
	if d.full || !v.whole {
		d.cut()
		return
	}
	at := d.at()
	size := len(at) + len(v.raw)
	d.full = d.kept+size > maxRawAll
	if _, taken := d.report.Raw[at]; taken || d.full {
		d.cut()
		return
	}
	if d.report.Raw == nil {
		d.report.Raw = map[string]json.RawMessage{}
	}
	d.kept += size
	d.report.Raw[at] = bytes.ToValidUTF8(v.raw, []byte("\ufffd"))
}

// cut notes that something of the present field was left out.
func (d *decoder) cut() {
	if d.cuts++; d.cuts > maxCuts {
		return
	}
	if at := d.pattern(); len(d.report.Cut) < maxCut && !slices.Contains(d.report.Cut, at) {
		d.report.Cut = append(d.report.Cut, at)
	}
}

// textField reads a text. A value of another kind is kept raw, as everywhere below.
func (d *decoder) textField(into *string, limit int) error {
	v, err := d.value()
	if err != nil {
		return err
	}
	text, clipped, ok := v.text(limit)
	switch {
	case !ok:
		d.keep(v)
		return nil
	case clipped:
		d.cut()
	}
	// An entry may tell something twice, itself and in an object of its own: the first counts.
	if *into == "" {
		*into = text
	}
	return nil
}

// wordField reads a text of which there are few, such as quick and succeeded: each is held once.
func (d *decoder) wordField(into *string) error {
	if err := d.textField(into, maxName); err != nil {
		return err
	}
	if len(*into) > maxWordLen {
		return nil
	}
	if known, ok := d.words[*into]; ok {
		*into = known
	} else if len(d.words) < maxWords {
		d.words[*into] = *into
	}
	return nil
}

func (d *decoder) numberField(into *int64, limit int64) error {
	v, err := d.value()
	if err != nil {
		return err
	}
	n, ok := v.number()
	if !ok || n > limit {
		d.keep(v)
		return nil
	}
	*into = n
	return nil
}

// timeField reads milliseconds since 1970.
func (d *decoder) timeField(into *int64) error { return d.numberField(into, maxTimeMS) }

func (d *decoder) boolField(into **bool) error {
	v, err := d.value()
	if err != nil {
		return err
	}
	truth, ok := v.truth()
	if !ok {
		d.keep(v)
		return nil
	}
	*into = truth
	return nil
}

// timeOf is a time of the agent's, zero for 0.
func timeOf(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
