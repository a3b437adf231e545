package mdesim

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

func deviceHealthRoutes() []route {
	return []route{
		on(http.MethodGet, "list_device_av_info", "/api/deviceavinfo", "device-health-export-antivirus-health-report-api.md",
			anyOf("Machine.Read.All", "Machine.Read"), listDeviceAVInfo).limited(30, 1000),
		// This is the endpoint of export_information_gathering_files, which comes first and whose limits are kept.
		on(http.MethodGet, "export_device_av_health_files", "/api/machines/InfoGatheringExport", "device-health-export-antivirus-health-report-api.md",
			readWeaknesses(), gathering().links).limited(30, 1000),
	}
}

// avPage is the documented size of a page when $top is not given.
const avPage = 20

// avInfo is the deviceAvInfo resource.
type avInfo struct {
	ID                     string     `json:"id"`
	MachineID              string     `json:"machineId"`
	ComputerDNSName        string     `json:"computerDnsName"`
	OSKind                 string     `json:"osKind"`
	OSPlatform             string     `json:"osPlatform"`
	OSVersion              string     `json:"osVersion"`
	AVMode                 string     `json:"avMode"`
	AVSignatureVersion     string     `json:"avSignatureVersion"`
	AVEngineVersion        string     `json:"avEngineVersion"`
	AVPlatformVersion      string     `json:"avPlatformVersion"`
	LastSeenTime           time.Time  `json:"lastSeenTime"`
	QuickScanResult        string     `json:"quickScanResult"`
	QuickScanError         string     `json:"quickScanError"`
	QuickScanTime          *time.Time `json:"quickScanTime"`
	FullScanResult         string     `json:"fullScanResult"`
	FullScanError          string     `json:"fullScanError"`
	FullScanTime           *time.Time `json:"fullScanTime"`
	DataRefreshTimestamp   time.Time  `json:"dataRefreshTimestamp"`
	AVEngineUpdateTime     time.Time  `json:"avEngineUpdateTime"`
	AVSignatureUpdateTime  time.Time  `json:"avSignatureUpdateTime"`
	AVPlatformUpdateTime   time.Time  `json:"avPlatformUpdateTime"`
	AVIsSignatureUpToDate  string     `json:"avIsSignatureUpToDate"`
	AVIsEngineUpToDate     string     `json:"avIsEngineUpToDate"`
	AVIsPlatformUpToDate   string     `json:"avIsPlatformUpToDate"`
	AVSignaturePublishTime time.Time  `json:"avSignaturePublishTime"`
	RBACGroupName          string     `json:"rbacGroupName"`
	RBACGroupID            int64      `json:"rbacGroupId"`
}

// antivirus is the state of a device's antivirus; false for a device that does
// not report it: one that is not onboarded, a phone, or a server of 2012 R2, which
// would need the unified agent. It agrees with the secure configurations.
func (t *Tenant) antivirus(d *device) (avInfo, bool) {
	v, ok := inventoryOf(d)
	kind := map[string]string{"client": "windows", "server": "windows", "linux": "linux", "macOS": "mac"}[v.family]
	if !ok || kind == "" || d.OSPlatform == "WindowsServer2012R2" {
		return avInfo{}, false
	}
	dice, seen := d.dice("antivirus"), d.LastSeen.UTC().Truncate(time.Second)
	info := avInfo{
		ID: d.ID, MachineID: d.ID, ComputerDNSName: d.ComputerDNSName, OSKind: kind, OSPlatform: d.OSPlatform,
		OSVersion: systemVersion(t.softwareOn(d), d), AVMode: "0", LastSeenTime: seen, DataRefreshTimestamp: seen,
		AVIsSignatureUpToDate: "True", AVIsEngineUpToDate: "True", AVIsPlatformUpToDate: "True",
		RBACGroupName: d.RBACGroupName, RBACGroupID: d.RBACGroupID,
	}
	age := time.Duration(dice%20) * time.Hour // of the security intelligence
	for _, c := range t.configurationsOn(d) {
		switch {
		case c.compliant:
		case c.scid == "scid-2010": // antivirus on
			info.AVMode = []string{"1", "2"}[dice>>8&1]
		case c.scid == "scid-2011": // definitions new
			info.AVIsSignatureUpToDate, age = "False", age+9*24*time.Hour
		}
	}
	if strings.HasPrefix(d.HealthStatus, "NoSensorData") {
		info.AVIsSignatureUpToDate, info.AVIsEngineUpToDate, info.AVIsPlatformUpToDate = "Unknown", "Unknown", "Unknown"
	}
	info.AVSignaturePublishTime = seen.Add(-age).Truncate(time.Hour)
	info.AVSignatureUpdateTime = info.AVSignaturePublishTime.Add(20 * time.Minute)
	info.AVEngineUpdateTime, info.AVPlatformUpdateTime = seen.AddDate(0, 0, -12), seen.AddDate(0, 0, -25)
	info.AVSignatureVersion = fmt.Sprintf("1.%d.%d.0", 420+info.AVSignaturePublishTime.YearDay()/30, info.AVSignaturePublishTime.YearDay()*24+info.AVSignaturePublishTime.Hour())
	info.AVEngineVersion, info.AVPlatformVersion = "1.1.24090.11", "4.18.24090.11"
	t.scanned(d, &info, dice)
	return info, true
}

// scanned fills in the last scans: the weekly quick one, and what was ordered as a
// machine action and has ended.
func (t *Tenant) scanned(d *device, info *avInfo, dice uint64) {
	if info.AVMode == "2" {
		return // disabled: nothing scans
	}
	quick := info.LastSeenTime.Add(-time.Duration(1+dice>>16%(7*24)) * time.Hour)
	info.QuickScanTime, info.QuickScanResult = &quick, "Completed"
	if dice>>24%16 == 0 {
		info.QuickScanResult, info.QuickScanError = "Failed", "0x80508023"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	for _, a := range t.byMachine[d.ID] {
		view := t.at(a, now)
		if view.Type != "RunAntiVirusScan" || view.Status != StatusSucceeded {
			continue
		}
		ended := view.LastUpdate
		if string(view.Scope) == "Full" {
			info.FullScanTime, info.FullScanResult, info.FullScanError = &ended, "Completed", ""
		} else {
			info.QuickScanTime, info.QuickScanResult, info.QuickScanError = &ended, "Completed", ""
		}
	}
}

// gathering is the export of what was gathered about devices: their antivirus.
// One endpoint has two pages that disagree: links live for the shorter of their
// times, and up to the longer one when asked to, which one of the pages promises.
func gathering() export {
	e := inventoryExport("InfoGathering", "InfoGatheringExport", gatheredRows)
	e.maxHours = maxLinkHoursLong
	return e
}

// gatheredInfo is a row of gathering. Its page shows no sample; the property that
// holds everything is named on the page of antivirus health.
type gatheredInfo struct {
	DeviceID           string         `json:"DeviceId"`
	RBACGroupID        int64          `json:"RbacGroupId"`
	RBACGroupName      string         `json:"RbacGroupName"`
	DeviceName         Nullable       `json:"DeviceName"`
	DeviceGatheredInfo map[string]any `json:"DeviceGatheredInfo"`
}

func gatheredRows(t *Tenant, d *device) []any {
	info, ok := t.antivirus(d)
	if !ok {
		return nil
	}
	a := assetOf(d)
	return []any{gatheredInfo{
		DeviceID: a.DeviceID, RBACGroupID: a.RBACGroupID, RBACGroupName: a.RBACGroupName, DeviceName: a.DeviceName,
		DeviceGatheredInfo: map[string]any{
			"AvMode": info.AVMode, "AvSignatureVersion": info.AVSignatureVersion, "AvEngineVersion": info.AVEngineVersion,
			"AvPlatformVersion": info.AVPlatformVersion, "AvSignatureUpdateTime": info.AVSignatureUpdateTime, "AvEngineUpdateTime": info.AVEngineUpdateTime,
			"AvPlatformUpdateTime": info.AVPlatformUpdateTime, "AvIsSignatureUpToDate": info.AVIsSignatureUpToDate,
			"AvIsEngineUpToDate": info.AVIsEngineUpToDate, "AvIsPlatformUpToDate": info.AVIsPlatformUpToDate,
			"AvScanResults": map[string]any{"Quick": info.QuickScanResult, "Full": info.FullScanResult},
		},
	}}
}

// listDeviceAVInfo answers in pages of 20 unless $top asks for more.
func listDeviceAVInfo(c *call) response {
	l := listing[avInfo]{context: "DeviceAvInfo", schema: avSchema(), wire: func(i avInfo, _ bool) any { return i }}
	reporting := func(yield func(avInfo) bool) {
		for _, d := range c.t.snapshot() {
			if info, ok := c.t.antivirus(d); ok && !yield(info) {
				return
			}
		}
	}
	page, next, err := l.cut(c, reporting, min(avPage, c.t.PageSize))
	if err != nil {
		return c.odataError(err)
	}
	return c.list(l.context, page, next)
}

// avSchema is the documented filterable properties.
func avSchema() schema[avInfo] {
	str := func(get func(avInfo) string) property[avInfo] {
		return property[avInfo]{propertyType{kind: kindString}, func(i avInfo) any { return get(i) }}
	}
	return schema[avInfo]{
		"machineId":             str(func(i avInfo) string { return i.MachineID }),
		"computerDnsName":       str(func(i avInfo) string { return i.ComputerDNSName }),
		"osKind":                str(func(i avInfo) string { return i.OSKind }),
		"osPlatform":            str(func(i avInfo) string { return i.OSPlatform }),
		"osVersion":             str(func(i avInfo) string { return i.OSVersion }),
		"avMode":                str(func(i avInfo) string { return i.AVMode }),
		"avSignatureVersion":    str(func(i avInfo) string { return i.AVSignatureVersion }),
		"avEngineVersion":       str(func(i avInfo) string { return i.AVEngineVersion }),
		"avPlatformVersion":     str(func(i avInfo) string { return i.AVPlatformVersion }),
		"quickScanResult":       str(func(i avInfo) string { return i.QuickScanResult }),
		"quickScanError":        str(func(i avInfo) string { return i.QuickScanError }),
		"fullScanResult":        str(func(i avInfo) string { return i.FullScanResult }),
		"fullScanError":         str(func(i avInfo) string { return i.FullScanError }),
		"avIsSignatureUpToDate": str(func(i avInfo) string { return i.AVIsSignatureUpToDate }),
		"avIsEngineUpToDate":    str(func(i avInfo) string { return i.AVIsEngineUpToDate }),
		"avIsPlatformUpToDate":  str(func(i avInfo) string { return i.AVIsPlatformUpToDate }),
		"rbacGroupId":           {propertyType{kind: kindInt}, func(i avInfo) any { return i.RBACGroupID }},
	}
}
