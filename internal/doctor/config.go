package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/internal/app"
	"github.com/mde-ops/mde-ops/internal/azpipe"
)

// settings reports what is wrong with single settings.
func (d *Doctor) settings(context.Context) []Finding {
	found := faults(d.o.Settings)
	if len(found) > 0 {
		return found
	}
	for _, note := range d.cfg.Notes() {
		if strings.HasPrefix(note, "the cloud is ") {
			found = append(found, good("%s", note))
		} else {
			found = append(found, warning("", "%s", note))
		}
	}
	if len(found) == 0 {
		found = append(found, good("every setting can be used"))
	}
	return found
}

// configuration reports what the program would refuse to start with, and what can be seen in files.
func (d *Doctor) configuration(context.Context) []Finding {
	found := append(faults(d.o.Whole), faults(d.cfg.Probe())...)
	if len(found) > 0 {
		return found
	}
	return []Finding{good("it is enough for a start")}
}

// faults are the findings of a check that the app makes itself. Its texts say what to do.
func faults(err error) (found []Finding) {
	for _, text := range app.Faults(err) {
		found = append(found, failure("", "%s", text))
	}
	return found
}

// separation reports what this program must not hold.
func (d *Doctor) separation(context.Context) []Finding {
	if d.o.Writer {
		if d.cfg.Write.IsSet() || d.cfg.Sim {
			return []Finding{good("reading and writing have credentials of their own")}
		}
		return []Finding{warning("register another application with the writing roles, and set MDE_WRITE_CLIENT_ID and its secret here only",
			"MDE_WRITE_* is not set, so the reading credential writes as well")}
	}
	var found []Finding
	for name := range d.cfg.Set { // what a start refuses with one word for all of it is named here
		if strings.HasPrefix(name, "MDE_WRITE_") && name != "MDE_WRITE_TIMEOUT" || name == "MDE_VOTE_SIGNING_KEY" || name == "MDE_AUDIT_SIGNING_KEY" {
			found = append(found, warning("unset it here and give it to mde-slackbot only", "%s is set, which a process that assistants call must not have", name))
		}
	}
	slices.SortFunc(found, func(a, b Finding) int { return strings.Compare(a.Found, b.Found) })
	if len(found) == 0 {
		found = append(found, good("no writing credential and no signing key is here"))
	}
	return found
}

// platform reports what the machine lacks for the kinds of credential that are configured.
func (d *Doctor) platform(context.Context) []Finding {
	var wants []string
	if d.cfg.Identity.Source == "cli" && d.o.Identity != nil {
		wants = append(wants, "MDE_IDENTITY=cli")
	}
	for prefix, cred := range map[string]app.Credential{"MDE_": d.cfg.Read, "MDE_WRITE_": d.cfg.Write} {
		if slices.Contains(cred.Kinds(), azpipe.KindCLI) {
			wants = append(wants, prefix+"CREDENTIAL="+cred.Kind)
		}
	}
	if len(wants) == 0 {
		return []Finding{good("nothing that is configured needs another program")}
	}
	slices.Sort(wants)
	path, err := d.o.LookPath("az")
	if err != nil {
		return []Finding{failure("install the Azure CLI and run `az login`, or choose another kind of credential",
			"%s needs the Azure CLI, and there is no program az in PATH", strings.Join(wants, " and "))}
	}
	return []Finding{good("%s: the Azure CLI is %s", strings.Join(wants, " and "), path)}
}

// identity reports who calls.
func (d *Doctor) identity(ctx context.Context) []Finding {
	who, err := d.o.Identity(ctx)
	switch {
	case err != nil:
		return []Finding{failure("run `az login` as that person, or set MDE_USER", "%v", err)}
	case d.cfg.HTTP.Listen != "" && d.cfg.HTTP.Signed():
		return []Finding{good("callers over HTTP sign in themselves")}
	case who.ID == "":
		return []Finding{failure("set MDE_USER to the person's e-mail, or MDE_IDENTITY=cli", "nothing says whose calls these are")}
	case who.Verified:
		return []Finding{good("%s, proved by the Azure CLI's sign-in", who.ID)}
	}
	return []Finding{good("%s, by configuration and so unverified: what needs approval needs one approver more by default", who.ID)}
}

// days writes a time that is left in days.
func days(hours float64) string { return fmt.Sprintf("%d days", int(hours/24)) }
