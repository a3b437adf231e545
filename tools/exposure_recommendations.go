package tools

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

type listRecommendationsIn struct {
	Device   string `json:"device,omitempty" jsonschema:"Only of this device" form:"device"`
	ID       string `json:"id,omitempty" jsonschema:"Only this one, with its devices" range:"0,300"`
	Category string `json:"category,omitempty" jsonschema:"Category" enum:"Accounts,Application,Network,OS,SecurityControls"`
	listing
}

// recommendationView is a recommendation as callers see it.
type recommendationView struct {
	ID         string   `json:"id" jsonschema:"id"`
	Name       string   `json:"name" jsonschema:"untrusted text: what to do"`
	Product    string   `json:"product,omitempty" schema:"omit" jsonschema:"untrusted text: product and vendor"`
	Version    string   `json:"recommended_version,omitempty" schema:"omit" jsonschema:"untrusted text: version to have"`
	Category   string   `json:"category" schema:"omit" jsonschema:"category"`
	Component  string   `json:"component,omitempty" schema:"omit" jsonschema:"untrusted text: what it is about"`
	How        string   `json:"remediation_type" schema:"omit" jsonschema:"remediationType"`
	Status     string   `json:"status" schema:"omit" jsonschema:"Active, or Exception where the tenant made one"`
	Weaknesses int      `json:"weaknesses" schema:"omit" jsonschema:"vulnerabilities that it removes"`
	Exploit    bool     `json:"public_exploit" schema:"omit" jsonschema:"whether one has a public exploit"`
	Alert      bool     `json:"active_alert" schema:"omit" jsonschema:"whether an alert is active"`
	Exposed    int      `json:"exposed_devices" schema:"omit" jsonschema:"devices that have not"`
	Total      int      `json:"total_devices" schema:"omit" jsonschema:"devices that it is for"`
	Impact     float64  `json:"exposure_impact" schema:"omit" jsonschema:"what following it takes off the exposure score"`
	Score      float64  `json:"secure_score_impact" schema:"omit" jsonschema:"what following it adds to the secure score"`
	Tags       []string `json:"tags,omitempty" schema:"omit" jsonschema:"untrusted text: remarks"`
}

func viewOfRecommendation(r *mdecore.Recommendation) recommendationView {
	return recommendationView{
		ID: clean(r.ID, 200), Name: clean(r.RecommendationName, 200), Product: clean(strings.TrimSpace(r.ProductName+" "+r.Vendor), 160),
		Version: clean(r.RecommendedVersion, 80), Category: clean(string(r.RecommendationCategory), 40), Component: clean(r.RelatedComponent, 120),
		How: clean(string(r.RemediationType), 40), Status: clean(string(r.Status), 40), Weaknesses: int(r.Weaknesses), Exploit: r.PublicExploit,
		Alert: r.ActiveAlert, Exposed: int(r.ExposedMachinesCount), Total: int(r.TotalMachineCount), Impact: float64(r.ExposureImpact),
		Score: float64(r.ConfigScoreImpact), Tags: cleanAll(r.Tags),
	}
}

func (v recommendationView) line() string {
	return fmt.Sprintf("%s (id %s, exposed devices %d, impact %.2f)", v.Name, v.ID, v.Exposed, v.Impact)
}

type listRecommendationsOut struct {
	Recommendations []recommendationView `json:"recommendations" jsonschema:"greatest impact first"`
	Devices         []exposedDevice      `json:"devices,omitempty" schema:"omit" jsonschema:"untrusted text: with id, the devices that have not followed it"`
	paged
}

func listRecommendations() declaration {
	return spec[listRecommendationsIn, listRecommendationsOut]{
		name: "list_recommendations", title: "List recommendations", toolset: Exposure, surface: InToolset, risk: approvals.RiskRead,
		summary:   "List security recommendations of the tenant or a device; with id, the devices that have not followed one.",
		untrusted: true,
		hints:     Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true},
		lists:     "recommendations", read: readRecommendations,
	}
}

func readRecommendations(ctx context.Context, s *session, in listRecommendationsIn) (out listRecommendationsOut, text string, err error) {
	if in.ID != "" {
		return readRecommendation(ctx, s, in)
	}
	device, err := s.deviceID(ctx, in.Device)
	if err != nil {
		return out, "", err
	}
	var f filter
	f.eq("recommendationCategory", in.Category)
	from := s.reader.ListRecommendations(ctx, mdecore.Query{Filter: mdecore.Filter(f.String()), Page: mdecore.Page{Top: exposureRead + 1}})
	if device != "" {
		from = s.reader.ListMachineRecommendations(ctx, device)
	}
	all, more, err := gathered(where(from, func(r *mdecore.Recommendation) bool {
		return in.Category == "" || strings.EqualFold(string(r.RecommendationCategory), in.Category)
	}), exposureRead)
	if err != nil {
		return out, "", err
	}
	slices.SortStableFunc(all, func(a, b *mdecore.Recommendation) int {
		return cmp.Or(cmp.Compare(b.ExposureImpact, a.ExposureImpact), cmp.Compare(b.ConfigScoreImpact, a.ConfigScoreImpact), cmp.Compare(a.ID, b.ID))
	})
	if out.Recommendations, out.paged, err = allRows(s, in.listing, each(all), viewOfRecommendation); more {
		out.Note = fmt.Sprintf("only the first %d are looked through; filter by category or device", exposureRead)
	}
	return out, manyOf(out.paged, "recommendation", "recommendations") + ":" + shortList(out.Recommendations, recommendationView.line), err
}

// readRecommendation is one recommendation with a page of its devices.
func readRecommendation(ctx context.Context, s *session, in listRecommendationsIn) (out listRecommendationsOut, text string, err error) {
	if in.Device != "" || in.Category != "" {
		return out, "", approvals.Refuse(approvals.KindInvalid, nil, "id names one recommendation already; leave device and category out")
	}
	id := strings.ToLower(in.ID)
	r, err := s.reader.GetRecommendation(ctx, id)
	if r, err = existing(r, err, "recommendation", id, "list_recommendations"); err != nil {
		return out, "", err
	}
	out.Recommendations = []recommendationView{viewOfRecommendation(r)}
	out.Devices, out.paged, err = allRows(s, in.listing, s.reader.ListRecommendationMachines(ctx, id), viewOfReference)
	return out, out.Recommendations[0].line() + ". Devices:" + shortList(out.Devices, exposedDevice.line), err
}

type listRemediationsIn struct {
	Status string `json:"status,omitempty" jsonschema:"Status" enum:"Active,Completed"`
	ID     string `json:"id,omitempty" jsonschema:"Only this one, with its devices" form:"word" range:"0,100"`
	listing
}

// remediationView is a remediation task. Its texts were written by people.
type remediationView struct {
	ID        string    `json:"id" jsonschema:"task id"`
	Title     string    `json:"title" jsonschema:"untrusted text: what is to be done"`
	Status    string    `json:"status" schema:"omit" jsonschema:"status"`
	Priority  string    `json:"priority,omitempty" schema:"omit" jsonschema:"priority"`
	Type      string    `json:"type,omitempty" schema:"omit" jsonschema:"how"`
	Product   string    `json:"product,omitempty" schema:"omit" jsonschema:"untrusted text: software id or configuration"`
	Requester string    `json:"requester,omitempty" schema:"omit" jsonschema:"untrusted text: who asked"`
	Notes     string    `json:"notes,omitempty" schema:"omit" jsonschema:"untrusted text: the requester's notes"`
	Target    int       `json:"target_devices" schema:"omit" jsonschema:"devices it is for"`
	Fixed     int       `json:"fixed_devices" schema:"omit" jsonschema:"devices that are done"`
	Created   time.Time `json:"created,omitzero" schema:"omit" jsonschema:"when it was made"`
	Due       time.Time `json:"due,omitzero" schema:"omit" jsonschema:"when it is due"`
}

func viewOfRemediation(r *mdecore.RemediationTask) remediationView {
	return remediationView{
		ID: clean(r.ID, 60), Title: clean(r.Title, 200), Status: clean(string(r.Status), 40), Priority: clean(string(r.Priority), 40),
		Type: clean(string(r.Type), 40), Product: clean(cmp.Or(r.ProductID, r.SCID), 200), Requester: clean(r.RequesterEmail, 120),
		Notes: clean(r.RequesterNotes, 300), Target: int(r.TargetDevices), Fixed: int(r.FixedDevices), Created: r.CreatedOn.Time, Due: r.DueOn.Time,
	}
}

func (v remediationView) line() string {
	return fmt.Sprintf("%s (id %s, %s, %d of %d devices done)", v.Title, v.ID, v.Status, v.Fixed, v.Target)
}

type listRemediationsOut struct {
	Remediations []remediationView `json:"remediations" jsonschema:"remediation tasks"`
	Devices      []exposedDevice   `json:"devices,omitempty" schema:"omit" jsonschema:"untrusted text: with id, the devices that are not done"`
	paged
}

func listRemediations() declaration {
	return spec[listRemediationsIn, listRemediationsOut]{
		name: "list_remediations", title: "List remediations", toolset: Exposure, surface: InToolset, risk: approvals.RiskRead,
		summary:   "List remediation tasks; with id, the devices that are not done.",
		untrusted: true,
		hints:     Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true},
		lists:     "remediations", read: readRemediations,
	}
}

func readRemediations(ctx context.Context, s *session, in listRemediationsIn) (out listRemediationsOut, text string, err error) {
	if in.ID != "" {
		r, err := s.reader.GetRemediationTask(ctx, in.ID)
		if r, err = existing(r, err, "remediation task", in.ID, "list_remediations"); err != nil {
			return out, "", err
		}
		out.Remediations = []remediationView{viewOfRemediation(r)}
		out.Devices, out.paged, err = allRows(s, in.listing, s.reader.ListRemediationTaskMachines(ctx, in.ID), viewOfReference)
		return out, out.Remediations[0].line() + ". Devices:" + shortList(out.Devices, exposedDevice.line), err
	}
	page, err := s.upstream(in.listing)
	if err != nil {
		return out, "", err
	}
	var f filter
	f.eq("status", in.Status)
	tasks := s.reader.ListRemediationTasks(ctx, mdecore.Query{Filter: mdecore.Filter(f.String()), Page: page})
	out.Remediations, out.paged, err = rows(s, in.listing, tasks, viewOfRemediation)
	return out, manyOf(out.paged, "remediation task", "remediation tasks") + ":" + shortList(out.Remediations, remediationView.line), err
}
