package mdesim

import (
	"encoding/json"
	"iter"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/mdecore/mdesim/kql"
)

// hunt is the tenant as one query sees it.
type hunt struct {
	now      time.Time
	span     huntPeriod
	devices  []*device
	byID     map[string]*device
	all      []*Alert            // newest first
	alerts   map[string][]*Alert // by device, newest first
	isolated map[string]time.Time
	files    map[executable]knownFile
}

// newHunt takes a snapshot: a query sees one state of the tenant.
func (t *Tenant) newHunt(span huntPeriod) *hunt {
	h := &hunt{now: t.now(), span: span, alerts: map[string][]*Alert{}, isolated: map[string]time.Time{}, files: map[executable]knownFile{}}
	t.mu.Lock()
	defer t.mu.Unlock()
	h.devices, h.all = t.devices.list, t.alerts
	for _, a := range h.all {
		h.alerts[a.MachineID] = append(h.alerts[a.MachineID], a)
	}
	for id, actions := range t.byMachine {
		for _, a := range actions {
			switch view := t.at(a, h.now); {
			case view.Status != StatusSucceeded:
			case view.Type == TypeIsolate:
				h.isolated[id] = view.LastUpdate
			case view.Type == TypeUnisolate:
				delete(h.isolated, id)
			}
		}
	}
	return h
}

// device finds the device of an alert.
func (h *hunt) device(id string) *device {
	if h.byID == nil {
		h.byID = make(map[string]*device, len(h.devices))
		for _, d := range h.devices {
			h.byID[d.ID] = d
		}
	}
	return h.byID[id]
}

// table finds a table of the schema by its name.
func (h *hunt) table(name string) (kql.Table, bool) {
	switch name {
	case "DeviceInfo":
		return h.perDevice(deviceInfoColumns(), h.deviceInfo), true
	case "DeviceNetworkInfo":
		return h.perDevice(networkInfoColumns(), h.networkInfo), true
	case "DeviceLogonEvents":
		return h.perDevice(logonColumns(), h.logonEvents), true
	case "DeviceProcessEvents":
		return h.perDevice(processColumns(), h.processEvents), true
	case "DeviceNetworkEvents":
		return h.perDevice(connectionColumns(), h.networkEvents), true
	case "DeviceFileEvents":
		return h.perDevice(fileColumns(), h.fileEvents), true
	case "DeviceRegistryEvents":
		return h.perDevice(registryColumns(), h.registryEvents), true
	case "DeviceEvents":
		return h.perDevice(otherColumns(), h.otherEvents), true
	case "AlertInfo":
		return h.perAlert(alertInfoColumns(), h.alertInfo), true
	case "AlertEvidence":
		return h.perAlert(alertEvidenceColumns(), h.alertEvidence), true
	}
	return kql.Table{}, false
}

// perDevice is a table of what each device has to tell; the first column of every
// table is its time, which the query's period limits.
func (h *hunt) perDevice(columns []kql.Column, rows func(*device) [][]any) kql.Table {
	return kql.Table{Columns: columns, Rows: h.within(func(yield func([]any) bool) {
		for _, d := range h.devices {
			for _, row := range rows(d) {
				if !yield(row) {
					return
				}
			}
		}
	})}
}

func (h *hunt) perAlert(columns []kql.Column, rows func(*Alert) [][]any) kql.Table {
	return kql.Table{Columns: columns, Rows: h.within(func(yield func([]any) bool) {
		for _, a := range h.all {
			for _, row := range rows(a) {
				if !yield(row) {
					return
				}
			}
		}
	})}
}

func (h *hunt) within(rows iter.Seq[[]any]) iter.Seq[[]any] {
	return func(yield func([]any) bool) {
		for row := range rows {
			if at, ok := row[0].(time.Time); ok && h.span.holds(at) && !yield(row) {
				return
			}
		}
	}
}

// huntColumns reads "Name:type" pairs.
func huntColumns(spec string) []kql.Column {
	var out []kql.Column
	for field := range strings.FieldsSeq(spec) {
		name, kind, _ := strings.Cut(field, ":")
		t := kql.String
		switch kind {
		case "long":
			t = kql.Long
		case "datetime":
			t = kql.DateTime
		case "bool":
			t = kql.Bool
		case "dynamic":
			t = kql.Dynamic
		}
		out = append(out, kql.Column{Name: name, Type: t})
	}
	return out
}

// reportID numbers an event of a device.
func reportID(d *device, i int) int64 { return int64(hash64(d.ID)%1000)*1000 + int64(i) }

func deviceInfoColumns() []kql.Column {
	return huntColumns(`Timestamp:datetime DeviceId DeviceName ClientVersion PublicIP OSArchitecture OSPlatform OSBuild:long OSVersion
		IsAzureADJoined:bool AadDeviceId LoggedOnUsers:dynamic MachineGroup ReportId:long OnboardingStatus SensorHealthState
		ExposureLevel AssetValue DeviceManualTags:dynamic MitigationStatus`)
}

func (h *hunt) deviceInfo(d *device) [][]any {
	users, tags := []any{}, []any{}
	for _, u := range d.users {
		users = append(users, map[string]any{"UserName": u.AccountName, "DomainName": u.AccountDomain, "Sid": sidOf(u)})
	}
	for _, tag := range d.MachineTags {
		tags = append(tags, tag)
	}
	var build any
	if d.OSBuild != nil {
		build = *d.OSBuild
	}
	mitigation := ""
	if _, ok := h.isolated[d.ID]; ok {
		mitigation = "Isolated"
	}
	return [][]any{{
		d.lastEvent(h.now), d.ID, d.ComputerDNSName, "10.8790.22631.1000", string(d.LastExternalIPAddress), d.OSArchitecture, d.OSPlatform, build,
		string(d.Version), d.IsAADJoined, string(d.AADDeviceID), users, d.RBACGroupName, reportID(d, 0), onboarding(d), d.HealthStatus,
		d.ExposureLevel, d.DeviceValue, tags, mitigation,
	}}
}

// onboarding is the status in the words of the hunting schema.
func onboarding(d *device) string {
	switch d.OnboardingStatus {
	case "onboarded":
		return "Onboarded"
	case "CanBeOnboarded":
		return "Can be onboarded"
	case "InsufficientInfo":
		return "Insufficient info"
	}
	return d.OnboardingStatus
}

// sidOf makes a security identifier of an account.
func sidOf(u LogonUser) string {
	if u.AccountName == "system" {
		return "S-1-5-18"
	}
	return accountSID(u.AccountDomain, u.AccountName)
}

func jsonText(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(raw)
}

func networkInfoColumns() []kql.Column {
	return huntColumns(`Timestamp:datetime DeviceId DeviceName NetworkAdapterName MacAddress NetworkAdapterType NetworkAdapterStatus
		IPAddresses:dynamic ConnectedNetworks:dynamic ReportId:long`)
}

func (h *hunt) networkInfo(d *device) [][]any {
	var out [][]any
	for i, ip := range d.IPAddresses {
		out = append(out, []any{
			d.lastEvent(h.now), d.ID, d.ComputerDNSName, "eth" + jsonText(i), ip.MACAddress, "Ethernet", ip.OperationalStatus,
			[]any{map[string]any{"IPAddress": ip.IPAddress, "SubnetPrefix": int64(24), "AddressType": "Private"}},
			[]any{map[string]any{"Name": "contoso.com", "Category": "Domain", "IsConnectedToInternet": true}},
			reportID(d, 10+i),
		})
	}
	return out
}
