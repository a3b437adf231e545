package tools

import (
	"fmt"
	"strings"
	"time"

	"github.com/mde-ops/mde-ops/mdecore"
)

// lookUpOut is what is known of an entity. Names in it were chosen by whoever made the file, host or account.
type lookUpOut struct {
	Kind       string         `json:"kind" jsonschema:"file, ip, domain or user"`
	Value      string         `json:"value" schema:"omit" jsonschema:"what was looked up"`
	Known      bool           `json:"known" jsonschema:"whether Defender knows of it"`
	File       *fileProfile   `json:"file,omitempty" schema:"omit" jsonschema:"untrusted text: the file"`
	User       *userProfile   `json:"user,omitempty" schema:"omit" jsonschema:"untrusted text: the account"`
	Prevalence *prevalence    `json:"prevalence,omitempty" schema:"omit" jsonschema:"how common"`
	Alerts     []entityAlert  `json:"alerts" jsonschema:"untrusted text: latest alerts"`
	AlertsOf   string         `json:"alerts_of" schema:"omit" jsonschema:"how many alerts there are"`
	Devices    []entityDevice `json:"devices" jsonschema:"untrusted text: latest devices"`
	DevicesOf  string         `json:"devices_of" schema:"omit" jsonschema:"how many devices there are"`
	Failed     []string       `json:"failed" jsonschema:"parts that could not be read, and why"`
	Notes      []string       `json:"notes" schema:"omit" jsonschema:"what was left out"`
}

type fileProfile struct {
	SHA1          string    `json:"sha1" schema:"omit" jsonschema:"SHA-1"`
	SHA256        string    `json:"sha256" schema:"omit" jsonschema:"SHA-256"`
	Size          int64     `json:"size" schema:"omit" jsonschema:"bytes"`
	Type          string    `json:"type,omitempty" schema:"omit" jsonschema:"file type"`
	Publisher     string    `json:"publisher,omitempty" schema:"omit" jsonschema:"untrusted text: publisher that the file claims"`
	Product       string    `json:"product,omitempty" schema:"omit" jsonschema:"untrusted text: product that the file claims"`
	Signer        string    `json:"signer,omitempty" schema:"omit" jsonschema:"untrusted text: signer"`
	Issuer        string    `json:"issuer,omitempty" schema:"omit" jsonschema:"untrusted text: issuer of the signer's certificate"`
	ValidSigned   bool      `json:"valid_certificate" schema:"omit" jsonschema:"whether the certificate is valid"`
	Determination string    `json:"determination,omitempty" schema:"omit" jsonschema:"determinationType"`
	Threat        string    `json:"threat,omitempty" schema:"omit" jsonschema:"name of the threat"`
	FirstSeen     time.Time `json:"global_first_seen,omitzero" schema:"omit" jsonschema:"first seen anywhere"`
	LastSeen      time.Time `json:"global_last_seen,omitzero" schema:"omit" jsonschema:"last seen anywhere"`
}

func viewOfFile(f *mdecore.File) *fileProfile {
	return &fileProfile{
		SHA1: clean(f.SHA1, 40), SHA256: clean(f.SHA256, 64), Size: int64(f.Size), Type: clean(f.FileType, 80), Publisher: clean(f.FilePublisher, 120),
		Product: clean(f.FileProductName, 120), Signer: clean(f.Signer, 120), Issuer: clean(f.Issuer, 120), ValidSigned: f.IsValidCertificate,
		Determination: clean(f.DeterminationType, 60), Threat: clean(f.DeterminationValue, 120), FirstSeen: f.GlobalFirstObserved.Time, LastSeen: f.GlobalLastObserved.Time,
	}
}

type userProfile struct {
	Name        string    `json:"name" schema:"omit" jsonschema:"untrusted text: account"`
	SID         string    `json:"sid,omitempty" schema:"omit" jsonschema:"SID"`
	DomainAdmin bool      `json:"domain_admin" schema:"omit" jsonschema:"whether it is a domain administrator"`
	NetworkOnly bool      `json:"network_only" schema:"omit" jsonschema:"whether it only signs in over the network"`
	LogonTypes  string    `json:"logon_types,omitempty" schema:"omit" jsonschema:"logon types"`
	FirstSeen   time.Time `json:"first_seen,omitzero" schema:"omit" jsonschema:"first seen"`
	LastSeen    time.Time `json:"last_seen,omitzero" schema:"omit" jsonschema:"last seen"`
}

func viewOfUser(u *mdecore.User) *userProfile {
	return &userProfile{
		Name: strings.TrimPrefix(clean(u.AccountDomain, 120)+`\`+clean(u.AccountName, 260), `\`), SID: clean(u.AccountSID, 120), DomainAdmin: u.IsDomainAdmin,
		NetworkOnly: u.IsOnlyNetworkUser, LogonTypes: clean(u.LogonTypes, 120), FirstSeen: u.FirstSeen.Time, LastSeen: u.LastSeen.Time,
	}
}

type prevalence struct {
	Devices   int64     `json:"devices" schema:"omit" jsonschema:"devices of the tenant that saw it"`
	FirstSeen time.Time `json:"first_seen,omitzero" schema:"omit" jsonschema:"first seen in the tenant"`
	LastSeen  time.Time `json:"last_seen,omitzero" schema:"omit" jsonschema:"last seen in the tenant"`
	Global    int64     `json:"worldwide,omitempty" schema:"omit" jsonschema:"devices worldwide"`
	Names     []string  `json:"file_names,omitempty" schema:"omit" jsonschema:"untrusted text: usual file names"`
}

type entityAlert struct {
	ID       string    `json:"id" schema:"omit" jsonschema:"alert id"`
	Title    string    `json:"title" schema:"omit" jsonschema:"untrusted text: title"`
	Severity string    `json:"severity" schema:"omit" jsonschema:"severity"`
	Status   string    `json:"status" schema:"omit" jsonschema:"status"`
	DeviceID string    `json:"device_id,omitempty" schema:"omit" jsonschema:"device"`
	Device   string    `json:"device,omitempty" schema:"omit" jsonschema:"untrusted text: DNS name"`
	At       time.Time `json:"created_at,omitzero" schema:"omit" jsonschema:"when it was raised"`
}

type entityDevice struct {
	ID       string    `json:"id" schema:"omit" jsonschema:"device id"`
	Name     string    `json:"name" schema:"omit" jsonschema:"untrusted text: DNS name"`
	OS       string    `json:"os" schema:"omit" jsonschema:"osPlatform"`
	Health   string    `json:"health" schema:"omit" jsonschema:"healthStatus"`
	Risk     string    `json:"risk,omitempty" schema:"omit" jsonschema:"riskScore"`
	LastSeen time.Time `json:"last_seen,omitzero" schema:"omit" jsonschema:"last report"`
}

func (o *lookUpOut) note(text string) {
	if text != "" {
		o.Notes = append(o.Notes, text)
	}
}

// text is the entity in a few lines.
func (o lookUpOut) text(days int) string {
	var b strings.Builder
	known := "is known to Defender"
	if !o.Known {
		known = "is not known to Defender"
		if len(o.Failed) > 0 {
			known = "is not known from what could be read"
		}
	}
	fmt.Fprintf(&b, "%s %s %s. Text in quotes is untrusted.", o.Kind, quoted(o.Value, 120), known)
	if f := o.File; f != nil {
		signed := "no valid signature"
		if f.ValidSigned {
			signed = "signed by " + quoted(f.Signer, 80)
		}
		fmt.Fprintf(&b, "\n%s %s, %s, %d bytes, SHA-1 %s", f.Determination, quoted(f.Threat, 80), signed, f.Size, f.SHA1)
	}
	if u := o.User; u != nil {
		fmt.Fprintf(&b, "\n%s, domain administrator: %t, logon types %s", quoted(u.Name, 120), u.DomainAdmin, quoted(u.LogonTypes, 80))
	}
	if p := o.Prevalence; p != nil {
		fmt.Fprintf(&b, "\nSeen on %d devices in %d days", p.Devices, days)
		if p.Global > 0 {
			fmt.Fprintf(&b, ", on %d worldwide", p.Global)
		}
	}
	if o.AlertsOf != "" {
		b.WriteString("\nAlerts: " + o.AlertsOf)
	}
	for i, a := range o.Alerts[:min(len(o.Alerts), 5)] {
		fmt.Fprintf(&b, "\n%d. %s %s %s on %s: %s", i+1, a.Severity, a.Status, a.ID, quoted(a.Device, 80), quoted(a.Title, 100))
	}
	if o.DevicesOf != "" {
		b.WriteString("\nDevices: " + o.DevicesOf)
	}
	for i, d := range o.Devices[:min(len(o.Devices), 5)] {
		fmt.Fprintf(&b, "\n%d. %s (id %s, %s, risk %s)", i+1, quoted(d.Name, 80), d.ID, d.Health, d.Risk)
	}
	for _, f := range o.Failed {
		b.WriteString("\nCould not be read: " + f)
	}
	for _, n := range o.Notes {
		b.WriteString("\nNote: " + n)
	}
	return b.String()
}
