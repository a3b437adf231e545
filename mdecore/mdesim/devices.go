package mdesim

import (
	"fmt"
	"slices"
	"strings"
)

// Device returns the one device with an id, a full DNS name or a first label. It
// panics when there is none or more than one, because a test or demo that names
// such a device is itself wrong; [Tenant.Find] is for the other cases.
func (t *Tenant) Device(key string) Machine {
	found := t.Find(key)
	if len(found) != 1 {
		panic(fmt.Sprintf("mdesim: %d devices are called %q; Device needs exactly one", len(found), key))
	}
	return found[0]
}

// Find returns the devices with an id, a full DNS name or a first label, in the
// order of the list.
func (t *Tenant) Find(key string) []Machine {
	t.ready()
	var out []Machine
	for _, d := range t.snapshot() {
		label, _, _ := strings.Cut(d.ComputerDNSName, ".")
		if strings.EqualFold(d.ID, key) || strings.EqualFold(d.ComputerDNSName, key) || strings.EqualFold(label, key) {
			out = append(out, d.copy())
		}
	}
	return out
}

// AmbiguousName is a full DNS name that two devices have.
func (t *Tenant) AmbiguousName() string { return NameAmbiguous }

// AmbiguousShortName is a first label that two devices of different domains have.
func (t *Tenant) AmbiguousShortName() string { return NameShortAmbiguous }

// AmbiguousIP is an internal address that two devices have.
func (t *Tenant) AmbiguousIP() string { return IPAmbiguous }

// AddDevice adds a device as it is given and returns it; an empty id is filled
// in. It panics when the id is taken.
func (t *Tenant) AddDevice(m Machine) Machine {
	t.ready()
	t.mu.Lock()
	defer t.mu.Unlock()
	if m.ID == "" {
		m.ID = fmt.Sprintf("%016x%016x%08x", t.ids.Uint64(), t.ids.Uint64(), t.ids.Uint32())
	}
	if _, taken := t.devices.byID[strings.ToLower(m.ID)]; taken {
		panic("mdesim: AddDevice: there is a device with the id " + m.ID)
	}
	d := &device{Machine: m}
	d.Machine = d.copy()
	t.devices.byID[strings.ToLower(m.ID)] = len(t.devices.list)
	t.devices.list = append(slices.Clone(t.devices.list), d)
	return m
}

// UpdateDevice changes a device, as when it is renamed, retagged or offboarded
// while a request waits. It reports whether the device exists. The id stays.
func (t *Tenant) UpdateDevice(id string, change func(*Machine)) bool {
	return t.replace(id, func(d *device) { change(&d.Machine) })
}

// SetOffline says whether actions that begin from now on reach the device.
func (t *Tenant) SetOffline(id string, offline bool) bool {
	return t.replace(id, func(d *device) { d.offline = offline })
}

func (t *Tenant) replace(id string, change func(*device)) bool {
	t.ready()
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.devices.replace([]string{id}, change)) > 0
}

// replace puts changed copies in the place of devices and returns these, each
// once; the caller holds the tenant's lock. The list is copied once however many
// they are. An id stays what it is.
func (f *fleet) replace(ids []string, change func(*device)) []*device {
	var out []*device
	seen := map[int]bool{}
	for _, id := range ids {
		i, ok := f.byID[strings.ToLower(id)]
		if !ok || seen[i] {
			continue
		}
		if len(seen) == 0 {
			f.list = slices.Clone(f.list)
		}
		seen[i] = true
		d := *f.list[i]
		d.Machine = d.copy()
		change(&d)
		d.ID = f.list[i].ID
		f.list[i] = &d
		out = append(out, &d)
	}
	return out
}

// settle carries out what actions that have succeeded meanwhile do to their
// devices; the caller holds t.mu. There are no goroutines, so this happens when
// the devices are looked at.
func (t *Tenant) settle() {
	if len(t.devices.unsettled) == 0 {
		return
	}
	now := t.now()
	t.devices.unsettled = slices.DeleteFunc(t.devices.unsettled, func(a *action) bool {
		status := t.at(a, now).Status
		if status == StatusSucceeded {
			t.devices.replace([]string{a.MachineID}, a.done)
		}
		return final(status)
	})
}

// copy is the machine without anything shared with the stored one.
func (d *device) copy() Machine {
	m := d.Machine
	m.MachineTags = append([]string{}, m.MachineTags...) // never null on the wire
	m.IPAddresses = append([]IPAddress{}, m.IPAddresses...)
	if m.OSBuild != nil {
		build := *m.OSBuild
		m.OSBuild = &build
	}
	return m
}
