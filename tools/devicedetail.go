package tools

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

type getDeviceIn struct {
	Device string   `json:"device" jsonschema:"Device id, full or short DNS name, IP it has now, or Entra device id" form:"device"`
	Parts  []string `json:"parts,omitempty" jsonschema:"What to read with it; actions unless given" enum:"actions,alerts,users,software,vulnerabilities,recommendations,missing_kbs"`
}

type getDeviceOut struct {
	Device    deviceView  `json:"device" jsonschema:"the device"`
	Isolation string      `json:"isolation" jsonschema:"isolated, not isolated, isolating, releasing"`
	Link      string      `json:"link,omitempty" jsonschema:"its timeline in the portal"`
	Nexus     *deviceNode `json:"nexus,omitempty" schema:"omit" jsonschema:"the Nexus node that it is"`
	LeftOut   []string    `json:"left_out,omitempty" jsonschema:"what is left out, how to get it"`
	deviceParts
}

// deviceParts are what can be read with a device. A part that was not asked for is absent, one that is empty is not.
type deviceParts struct {
	Actions         []actionView           `json:"recent_actions,omitzero" schema:"omit" jsonschema:"latest machine actions, newest first"`
	Alerts          []alertView            `json:"alerts,omitzero" schema:"omit" jsonschema:"latest alerts"`
	Users           []deviceUser           `json:"users,omitzero" schema:"omit" jsonschema:"users who were logged on, last seen first"`
	Software        []deviceSoftware       `json:"software,omitzero" schema:"omit" jsonschema:"installed software, most weaknesses first"`
	Vulnerabilities []deviceVulnerability  `json:"vulnerabilities,omitzero" schema:"omit" jsonschema:"vulnerabilities, worst first"`
	Recommendations []deviceRecommendation `json:"recommendations,omitzero" schema:"omit" jsonschema:"security recommendations, worst first"`
	MissingKBs      []deviceKB             `json:"missing_kbs,omitzero" schema:"omit" jsonschema:"missing security updates, most CVEs first"`
}

func getDevice() declaration {
	return spec[getDeviceIn, getDeviceOut]{
		name: "get_device", title: "Get a device", toolset: Devices, surface: Default, risk: approvals.RiskRead,
		summary: "Read one device: whether it is isolated, its latest machine actions or other parts, its timeline link. " +
			"An ambiguous name is refused with the candidates.",
		positional: []string{"device"}, untrusted: true,
		hints: Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true},
		read:  readDevice,
	}
}

func readDevice(ctx context.Context, s *session, in getDeviceIn) (getDeviceOut, string, error) {
	found, err := s.resolve(ctx, []string{in.Device})
	if err != nil {
		return getDeviceOut{}, "", err
	}
	actions, err := s.actionsOf(ctx, found)
	if err != nil {
		return getDeviceOut{}, "", err
	}
	m := found[0]
	d := deviceRead{session: s, id: m.ID, actions: actions[m.ID]}
	if err := d.readAll(ctx, in.Parts); err != nil {
		return getDeviceOut{}, "", err
	}
	out := getDeviceOut{
		Device: viewOfDevice(m), Isolation: string(isolationOf(actions[m.ID])), deviceParts: d.parts, LeftOut: d.leftOut(),
		Link: timelineLink(s.reader.Cloud(), m.ID, s.tenant), Nexus: s.nodeOf(ctx, m),
	}
	return out, out.text(), nil
}

// text is the device and its parts for people.
func (o getDeviceOut) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s. Isolation: %s.", o.Device.line(), o.Isolation)
	p := o.deviceParts
	section(&b, "Alerts, titles are untrusted text", p.Alerts, alertView.line)
	section(&b, "Users", p.Users, deviceUser.line)
	section(&b, "Vulnerabilities", p.Vulnerabilities, deviceVulnerability.line)
	section(&b, "Recommendations", p.Recommendations, deviceRecommendation.line)
	section(&b, "Missing updates", p.MissingKBs, deviceKB.line)
	section(&b, "Software", p.Software, deviceSoftware.line)
	section(&b, "Machine actions", p.Actions, actionView.line)
	for _, note := range o.LeftOut {
		b.WriteString("\n" + note)
	}
	if n := o.Nexus; n != nil {
		fmt.Fprintf(&b, "\nIt is node %s of the Nexus cluster %s, by its %s: nexus_get_report shows its agent's report.", n.Node, n.Cluster, n.LinkedBy)
	}
	if o.Link != "" {
		b.WriteString("\n" + o.Link)
	}
	return b.String()
}

// section writes the first rows of a part, when it was asked for.
func section[V any](b *strings.Builder, title string, rows []V, line func(V) string) {
	if rows == nil {
		return
	}
	fmt.Fprintf(b, "\n%s: %d", title, len(rows))
	for _, r := range rows[:min(len(rows), 3)] {
		b.WriteString("\n- " + line(r))
	}
}

// timelineLink leads to the device's timeline in the portal of a known cloud; "" for another one, whose portal nobody knows.
func timelineLink(cloud mdecore.Cloud, id, tenant string) string {
	if !slices.Contains(mdecore.Clouds(), cloud) {
		return ""
	}
	portal := "https://security.microsoft.com"
	switch cloud.Name {
	case "gcc-high":
		portal = "https://security.microsoft.us"
	case "dod":
		portal = "https://security.apps.mil"
	}
	return portal + "/machines/v2/" + url.PathEscape(id) + "/timeline?tid=" + url.QueryEscape(tenant)
}

// readAll reads the parts that were asked for at the same time. One that can't be read fails the call: a part that is
// missing would look like one that is empty.
func (d *deviceRead) readAll(ctx context.Context, asked []string) error {
	if len(asked) == 0 {
		asked = []string{"actions"}
	}
	asked = slices.Compact(slices.Sorted(slices.Values(asked)))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(lookups)
	for _, part := range asked {
		g.Go(func() error { return d.read(gctx, part) })
	}
	return g.Wait()
}
