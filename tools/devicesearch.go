package tools

import (
	"context"
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/mdecore"
)

// deviceSearch is what find_devices was asked for, understood.
type deviceSearch struct {
	findDevicesIn
	ip        netip.Addr
	at, since time.Time // zero unless asked for
	// prefix is the start of a tag; empty when a whole tag, or none, was given.
	prefix                               string
	exposure, value, onboarding, groupID string
}

func readDevices(ctx context.Context, s *session, in findDevicesIn) (findDevicesOut, string, error) {
	search, err := in.understood(s.clock())
	if err != nil {
		return findDevicesOut{}, "", err
	}
	var out findDevicesOut
	if found := search.elsewhere(ctx, s.reader); found != nil {
		out.Devices, out.paged, err = allRows(s, in.listing, search.matching(found), viewOfDevice)
		return out, out.text(), err
	}
	page, err := s.upstream(in.listing)
	if err != nil {
		return findDevicesOut{}, "", err
	}
	found := s.reader.ListMachines(ctx, mdecore.Query{Filter: mdecore.Filter(search.filter()), Page: page})
	out.Devices, out.paged, err = rows(s, in.listing, found, viewOfDevice)
	return out, out.text(), err
}

// understood reads the arguments that are more than words.
func (in findDevicesIn) understood(now time.Time) (deviceSearch, error) {
	d := deviceSearch{findDevicesIn: in}
	var problems Problems
	wrong := func(arg, text string) {
		if text != "" {
			problems = append(problems, problem(arg, "%s", text))
		}
	}
	wrong("ip", d.address(in.IP, now))
	wrong("health", oneOf(&d.Health, healthWords()))
	wrong("risk", oneOf(&d.Risk, levelWords()))
	for _, text := range in.Where {
		wrong("where", d.also(text))
	}
	if in.Seen != "" {
		var err error
		d.since, err = parseAge(in.Seen, now)
		wrong("seen", faultText(err))
	}
	if start, starred := strings.CutSuffix(in.Tag, "*"); starred {
		if d.prefix = start; start == "" {
			wrong("tag", "before the * must be the start of a tag")
		}
	}
	return d, problems.refusal("find_devices")
}

// address reads "10.0.0.1" and "10.0.0.1@2h": an address, and when a device had it.
func (d *deviceSearch) address(text string, now time.Time) string {
	if text == "" {
		return ""
	}
	ip, at, timed := strings.Cut(text, "@")
	var err error
	if d.ip, err = netip.ParseAddr(ip); err != nil || d.ip.Zone() != "" {
		return quoted(ip, 60) + " is not an IP address"
	}
	d.ip = d.ip.Unmap()
	if !timed {
		return ""
	}
	if d.at, err = parseAge(at, now); err != nil {
		return quoted(at, 60) + " is neither an age such as 2h nor a time such as 2026-11-22T08:00:00Z"
	}
	if d.at.Before(now.Add(-ipHistory)) || d.at.After(now) {
		return "who had an address is known for the last 30 days only"
	}
	return ""
}

// ipHistory is how far back Defender knows who had an address (find-machines-by-ip.md), less the time that a call takes.
const ipHistory = 30*24*time.Hour - time.Minute

// also reads one of the rarer filters.
func (d *deviceSearch) also(text string) string {
	name, value, ok := strings.Cut(text, "=")
	field := map[string]*string{"exposure": &d.exposure, "value": &d.value, "onboarding": &d.onboarding, "group": &d.groupID}[name]
	switch {
	case !ok || field == nil:
		return quoted(text, 60) + " is none of exposure=, value=, onboarding= and group= (an id)"
	case *field != "":
		return name + " is given twice"
	}
	*field = value
	switch name {
	case "exposure":
		return oneOf(field, []string{"None", "Low", "Medium", "High"})
	case "value":
		return oneOf(field, []string{"Low", "Normal", "High"})
	case "onboarding":
		return oneOf(field, []string{"onboarded", "CanBeOnboarded", "Unsupported", "InsufficientInfo"})
	}
	if n, err := strconv.Atoi(value); err != nil || n < 0 || strconv.Itoa(n) != value {
		return "group is the number of a device group, not " + quoted(value, 40) + "; group_id of a device has it"
	}
	return ""
}

// oneOf gives a word the spelling that the API uses, or says which words there are. Empty is none.
func oneOf(word *string, words []string) string {
	if *word == "" {
		return ""
	}
	i := slices.IndexFunc(words, func(w string) bool { return strings.EqualFold(w, *word) })
	if i < 0 {
		return quoted(*word, 40) + " is none of " + strings.Join(words, ", ")
	}
	*word = words[i]
	return ""
}

func healthWords() []string {
	return []string{"Active", "Inactive", "ImpairedCommunication", "NoSensorData", "NoSensorDataImpairedCommunication", "Unknown"}
}

func levelWords() []string { return []string{"None", "Informational", "Low", "Medium", "High"} }

// faultText is an error's text, made harmless; "" for none.
func faultText(err error) string {
	if err == nil {
		return ""
	}
	return clean(err.Error(), 200)
}

// elsewhere asks an API that knows more than the list of devices: who had an address at a time, and whose tags begin with a
// text. It is nil when the list will do.
func (d deviceSearch) elsewhere(ctx context.Context, reader *mdecore.Client) iter.Seq2[*mdecore.Machine, error] {
	switch {
	case !d.at.IsZero():
		return func(yield func(*mdecore.Machine, error) bool) {
			found, err := orNone(reader.FindMachinesByIP(ctx, d.ip, d.at))
			if err != nil {
				yield(nil, err)
				return
			}
			for _, m := range found {
				if !yield(m, nil) {
					return
				}
			}
		}
	case d.prefix != "":
		return reader.FindMachinesByTag(ctx, d.prefix, true)
	}
	return nil
}

// matching keeps the devices to which all other arguments apply, because those APIs take no filter.
func (d deviceSearch) matching(all iter.Seq2[*mdecore.Machine, error]) iter.Seq2[*mdecore.Machine, error] {
	return func(yield func(*mdecore.Machine, error) bool) {
		for m, err := range all {
			if err == nil && !d.matches(m) {
				continue
			}
			if !yield(m, err) {
				return
			}
		}
	}
}

// matches is filter for a device that is at hand. The address is left out: it was asked for at another time.
func (d deviceSearch) matches(m *mdecore.Machine) bool {
	same := func(asked, is string) bool { return asked == "" || strings.EqualFold(asked, is) }
	tagged := func(t string) bool {
		return t == d.Tag || d.prefix != "" && strings.HasPrefix(asciiLower(t), asciiLower(d.prefix))
	}
	return strings.HasPrefix(asciiLower(m.ComputerDNSName), asciiLower(d.NamePrefix)) &&
		same(d.Health, string(m.HealthStatus)) && same(d.Risk, string(m.RiskScore)) && same(d.exposure, string(m.ExposureLevel)) &&
		same(d.value, string(m.DeviceValue)) && same(d.onboarding, string(m.OnboardingStatus)) && same(d.OS, m.OSPlatform) &&
		same(d.groupID, string(m.RbacGroupID)) &&
		(d.Tag == "" || slices.ContainsFunc(m.MachineTags, tagged)) &&
		!m.LastSeen.Before(d.since)
}

// filter is the OData expression of the arguments. Every value is quoted here, because some hold free text.
func (d deviceSearch) filter() string {
	var f filter
	if d.NamePrefix != "" {
		f.add("startswith(computerDnsName," + literal(strings.ToLower(d.NamePrefix)) + ")")
	}
	f.eq("healthStatus", d.Health)
	f.eq("riskScore", d.Risk)
	f.eq("exposureLevel", d.exposure)
	f.eq("deviceValue", d.value)
	f.eq("onboardingStatus", d.onboarding)
	f.eq("osPlatform", d.OS)
	if d.ip.IsValid() {
		f.eq("lastIpAddress", d.ip.String())
	}
	if d.groupID != "" {
		f.add("rbacGroupId eq " + d.groupID) // digits, checked by also
	}
	if d.Tag != "" {
		f.add("machineTags/any(tag:tag eq " + literal(d.Tag) + ")")
	}
	f.since("lastSeen", d.since)
	return f.String()
}
