package tools

import (
	"context"
	"fmt"
	"time"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
)

type getExposureIn struct{ listing }

type getExposureOut struct {
	Exposure    float64      `json:"exposure_score" jsonschema:"0 to 100, less is better"`
	SecureScore float64      `json:"secure_score" schema:"omit" jsonschema:"more is better"`
	Groups      []groupScore `json:"groups" jsonschema:"exposure by device group"`
	paged
}

type groupScore struct {
	Group string  `json:"group" jsonschema:"untrusted text: device group"`
	ID    string  `json:"id,omitempty" schema:"omit" jsonschema:"its id"`
	Score float64 `json:"score" schema:"omit" jsonschema:"exposure score"`
}

func (g groupScore) line() string { return fmt.Sprintf("%s: %.1f", g.Group, g.Score) }

func getExposure() declaration {
	return spec[getExposureIn, getExposureOut]{
		name: "get_exposure", title: "Get exposure", toolset: Exposure, surface: InToolset, risk: approvals.RiskRead,
		summary:   "Read the tenant's exposure score, also by device group, and secure score.",
		untrusted: true,
		hints:     Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true},
		lists:     "groups", read: readExposure,
	}
}

func readExposure(ctx context.Context, s *session, in getExposureIn) (out getExposureOut, text string, err error) {
	exposure, err := s.reader.GetExposureScore(ctx)
	if err != nil {
		return out, "", err
	}
	secure, err := s.reader.GetDeviceSecureScore(ctx)
	if err != nil {
		return out, "", err
	}
	out.Exposure, out.SecureScore = float64(exposure.Score), float64(secure.Score)
	out.Groups, out.paged, err = allRows(s, in.listing, s.reader.ListExposureScoreByMachineGroup(ctx), func(g *mdecore.Score) groupScore {
		return groupScore{Group: clean(g.RbacGroupName, 120), ID: clean(string(g.RbacGroupID), 40), Score: float64(g.Score)}
	})
	return out, fmt.Sprintf("Exposure score %.1f, secure score %.1f. By device group:", out.Exposure, out.SecureScore) + shortList(out.Groups, groupScore.line), err
}

type deviceHealthIn struct {
	Device   string `json:"device,omitempty" jsonschema:"Only this device" form:"device"`
	Mode     string `json:"mode,omitempty" jsonschema:"Mode" enum:"Active,Passive,Disabled,Other,EDRBlocked,PassiveAudit"`
	Outdated bool   `json:"outdated,omitempty" jsonschema:"Only with old signatures"`
	listing
}

// avView is the state of a device's antivirus.
type avView struct {
	ID           string    `json:"id" jsonschema:"device id"`
	Name         string    `json:"name" jsonschema:"untrusted text: DNS name"`
	OS           string    `json:"os" schema:"omit" jsonschema:"osPlatform"`
	Mode         string    `json:"mode" schema:"omit" jsonschema:"avMode"`
	UpToDate     string    `json:"signatures_up_to_date" schema:"omit" jsonschema:"True, False or Unknown"`
	Signatures   string    `json:"signature_version,omitempty" schema:"omit" jsonschema:"version of the security intelligence"`
	SignaturesAt time.Time `json:"signatures_updated,omitzero" schema:"omit" jsonschema:"when it was updated"`
	Engine       string    `json:"engine_version,omitempty" schema:"omit" jsonschema:"engine"`
	EngineOK     string    `json:"engine_up_to_date,omitempty" schema:"omit" jsonschema:"True, False or Unknown"`
	Platform     string    `json:"platform_version,omitempty" schema:"omit" jsonschema:"platform"`
	PlatformOK   string    `json:"platform_up_to_date,omitempty" schema:"omit" jsonschema:"True, False or Unknown"`
	QuickScan    string    `json:"quick_scan,omitempty" schema:"omit" jsonschema:"how the last one ended"`
	QuickScanAt  time.Time `json:"quick_scan_at,omitzero" schema:"omit" jsonschema:"when"`
	FullScan     string    `json:"full_scan,omitempty" schema:"omit" jsonschema:"how the last one ended"`
	FullScanAt   time.Time `json:"full_scan_at,omitzero" schema:"omit" jsonschema:"when"`
	LastSeen     time.Time `json:"last_seen,omitzero" schema:"omit" jsonschema:"when the device last reported"`
}

func viewOfAV(a *mdecore.DeviceAVInfo) avView {
	return avView{
		ID: clean(a.MachineID, 60), Name: clean(a.ComputerDNSName, 260), OS: clean(a.OSPlatform, 60), Mode: clean(a.AVMode.Name(), 40),
		UpToDate: clean(string(a.AVIsSignatureUpToDate), 20), Signatures: clean(a.AVSignatureVersion, 40), SignaturesAt: a.AVSignatureUpdateTime.Time,
		Engine: clean(a.AVEngineVersion, 40), EngineOK: clean(string(a.AVIsEngineUpToDate), 20), Platform: clean(a.AVPlatformVersion, 40),
		PlatformOK: clean(string(a.AVIsPlatformUpToDate), 20), QuickScan: scanOf(a.QuickScanResult, a.QuickScanError), QuickScanAt: a.QuickScanTime.Time,
		FullScan: scanOf(a.FullScanResult, a.FullScanError), FullScanAt: a.FullScanTime.Time, LastSeen: a.LastSeenTime.Time,
	}
}

func scanOf(result mdecore.ScanResult, fault string) string {
	if fault != "" {
		return clean(string(result)+" ("+fault+")", 80)
	}
	return clean(string(result), 40)
}

func (v avView) line() string {
	return fmt.Sprintf("%s (id %s, antivirus %s, security intelligence up to date: %s, quick scan: %s)", v.Name, v.ID, v.Mode, v.UpToDate, v.QuickScan)
}

type deviceHealthOut struct {
	Devices []avView `json:"devices" jsonschema:"devices that report their antivirus"`
	paged
}

func getDeviceHealth() declaration {
	return spec[deviceHealthIn, deviceHealthOut]{
		name: "get_device_health", title: "Get device health", toolset: Exposure, surface: InToolset, risk: approvals.RiskRead,
		summary:    "Read the state of Defender Antivirus on devices: mode, versions, last scans.",
		positional: []string{"device"}, untrusted: true,
		hints: Annotations{ReadOnly: true, Idempotent: true, OpenWorld: true},
		lists: "devices", read: readDeviceHealth,
	}
}

func readDeviceHealth(ctx context.Context, s *session, in deviceHealthIn) (out deviceHealthOut, text string, err error) {
	device, err := s.deviceID(ctx, in.Device)
	if err != nil {
		return out, "", err
	}
	page, err := s.upstream(in.listing)
	if err != nil {
		return out, "", err
	}
	var f filter
	f.eq("machineId", device)
	f.eq("avMode", string(modeNamed(in.Mode)))
	if in.Outdated {
		f.eq("avIsSignatureUpToDate", string(mdecore.UpToDateFalse))
	}
	found := s.reader.ListDeviceAVInfo(ctx, mdecore.Query{Filter: mdecore.Filter(f.String()), Page: page})
	out.Devices, out.paged, err = rows(s, in.listing, found, viewOfAV)
	if err == nil && out.Count == 0 {
		return out, "No device that reports its antivirus matches.", nil
	}
	return out, manyOf(out.paged, "device", "devices") + ":" + shortList(out.Devices, avView.line), err
}

// modeNamed is the mode of the antivirus of that name; empty for none.
func modeNamed(name string) mdecore.AVMode {
	for _, m := range []mdecore.AVMode{
		mdecore.AVActive, mdecore.AVPassive, mdecore.AVDisabled, mdecore.AVOther, mdecore.AVEDRBlocked, mdecore.AVPassiveAudit,
	} {
		if m.Name() == name {
			return m
		}
	}
	return ""
}
