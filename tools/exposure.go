package tools

import (
	"context"
	"iter"
	"strconv"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

// exposureTools lists the toolset exposure.
func exposureTools() []declaration {
	return []declaration{
		listVulnerabilities(), getVulnerability(), listSoftware(), getSoftware(), listRecommendations(), listRemediations(), getExposure(),
		getDeviceHealth(), listInventory(), exportAssessment(),
		listScans(), setScan(), deleteScans(),
	}
}

// exposureRead bounds how many rows are read of a list that the API gives whole, before the worst come first.
const exposureRead = 10_000

// exposureShown bounds the short lists beside the list that is paged.
const exposureShown = 20

// exposedDevice is a device in a list that hangs on something else.
type exposedDevice struct {
	ID    string `json:"id" jsonschema:"device id"`
	Name  string `json:"name" jsonschema:"untrusted text: DNS name"`
	OS    string `json:"os,omitempty" schema:"omit" jsonschema:"osPlatform"`
	Group string `json:"group,omitempty" schema:"omit" jsonschema:"untrusted text: device group"`
}

func viewOfReference(m *mdecore.MachineReference) exposedDevice {
	return exposedDevice{ID: clean(m.ID, 60), Name: clean(m.ComputerDNSName, 260), OS: clean(m.OSPlatform, 60), Group: clean(m.RbacGroupName, 120)}
}

func (d exposedDevice) line() string { return d.Name + " (id " + d.ID + ")" }

// where is the rows of an iterator that are wanted.
func where[T any](from iter.Seq2[T, error], want func(T) bool) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for row, err := range from {
			if (err != nil || want(row)) && !yield(row, err) {
				return
			}
		}
	}
}

// gathered reads a list up to most rows, and says whether there are more. "Not found" is none.
func gathered[T any](from iter.Seq2[T, error], most int) (all []T, more bool, err error) {
	for row, err := range from {
		switch {
		case mdecore.IsNotFound(err) && len(all) == 0:
			return nil, false, nil
		case err != nil:
			return nil, false, err
		case len(all) == most:
			return all, true, nil
		}
		all = append(all, row)
	}
	return all, false, nil
}

// viewed is views of the first rows.
func viewed[T, V any](all []T, most int, view func(T) V) []V {
	out := []V{}
	for _, row := range all[:min(len(all), most)] {
		out = append(out, view(row))
	}
	return out
}

// deviceID is the id of the one device that a text means; empty for none.
func (s *session) deviceID(ctx context.Context, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	found, err := s.resolve(ctx, []string{text})
	if err != nil {
		return "", err
	}
	return found[0].ID, nil
}

// existing is an answer about one thing, where "not found" must not be taken for "nothing to worry about".
func existing[T any](row T, err error, what, id, tool string) (T, error) {
	if mdecore.IsNotFound(err) {
		return row, approvals.Refuse(approvals.KindNotFound, err, "Defender knows no %s %s; %s lists them", what, quoted(id, 120), tool)
	}
	return row, err
}

// manyOf is how many rows a page has, in words.
func manyOf(p paged, one, many string) string {
	text := strconv.Itoa(p.Count) + " " + many
	if p.Count == 1 {
		text = "1 " + one
	}
	if p.Cursor != "" {
		return text + " on this page; more match"
	}
	return text
}
