package report

import (
	"encoding/json"
	"time"
)

// Report is what a report says, in one form whatever version of the agent wrote it.
type Report struct {
	// Scans are those of scanList and threatInformation, each once, the latest first.
	Scans []Scan `json:"scans"`
	// Threats are what scans found, each once, the latest first; Quarantine is what is quarantined now.
	Threats    []Threat `json:"threats"`
	Quarantine []Threat `json:"quarantine"`
	// Health is the agent's own account of itself.
	Health Health `json:"health"`
	// Missing are documented sections that the report has not, has as null, or has in a form that can't be read: the agent
	// may be stopped. What is missing is unknown, which is not the same as empty.
	Missing []string `json:"missing,omitempty"`
	// Raw holds what this version does not know or can't read, by its path: at most 16 KB each and 64 KB in all. The sections
	// diagnosticInformation and mdeConfiguration are never kept: they are large and nothing is documented of them.
	Raw map[string]json.RawMessage `json:"raw,omitempty"`
	// Cut are the paths of what was left out or shortened because of its size, without the places in lists; at most 100.
	Cut []string `json:"cut,omitempty"`
	// Name is the file's name in its archive, made harmless; empty when there was no archive. Size is its length in bytes.
	Name string `json:"name,omitempty"`
	Size int64  `json:"size"`
}

// Scan is one scan. Times are zero when the agent states 0.
type Scan struct {
	Type string `json:"type"` // quick, full, custom or another word of the agent's
	// State is succeeded, failed or another word of the agent's.
	State   string    `json:"state"`
	Start   time.Time `json:"start,omitzero"`
	End     time.Time `json:"end,omitzero"`
	StartMS int64     `json:"start_ms,omitempty"` // milliseconds since 1970, as the agent states it
	EndMS   int64     `json:"end_ms,omitempty"`
	Files   int64     `json:"files"`
	// Threats are tracking ids or names; an empty one stands for something found of which neither is told.
	Threats []string `json:"threats,omitempty"`
}

// Threat is something that was found. All its texts are untrusted.
type Threat struct {
	TrackingID string `json:"tracking_id,omitempty"`
	Name       string `json:"name"`
	Type       string `json:"type,omitempty"`
	Severity   string `json:"severity,omitempty"`
	// Status is the value of the latest entry of its history: detected, quarantined, removed, allowed, failed or another word.
	Status string `json:"status,omitempty"`
	// Paths are what it was found in, as far as they are told: at most 20.
	Paths []string `json:"paths,omitempty"`
	// First and Last are the earliest and latest times of its history; zero when it tells none.
	First time.Time `json:"first,omitzero"`
	Last  time.Time `json:"last,omitzero"`
}

// Health is generalHealth, as far as it is documented. Pointers are nil when the agent does not say.
type Health struct {
	Healthy            *bool     `json:"healthy,omitempty"`
	Issues             []string  `json:"issues,omitempty"`
	Licensed           *bool     `json:"licensed,omitempty"`
	EDRMachineID       string    `json:"edr_machine_id,omitempty"` // the device's id in Defender for Endpoint
	AppVersion         string    `json:"app_version,omitempty"`
	EngineVersion      string    `json:"engine_version,omitempty"`
	RealTimeProtection *bool     `json:"real_time_protection,omitempty"`
	PassiveMode        *bool     `json:"passive_mode,omitempty"`
	TamperProtection   string    `json:"tamper_protection,omitempty"`
	DefinitionsVersion string    `json:"definitions_version,omitempty"`
	DefinitionsStatus  string    `json:"definitions_status,omitempty"`
	DefinitionsUpdated time.Time `json:"definitions_updated,omitzero"`
}

// Limits bound what is read; the zero value means the defaults.
type Limits struct {
	// Packed and Unpacked bound the bytes before and after unpacking: 64 MB and 64 MB. Unpacked counts all members of an
	// archive together, also those that are not the report; those of a zip inside of a tar are counted apart from the tar.
	Packed, Unpacked int64
}

// Fault is the kind of thing that is wrong with a report.
type Fault string

// The faults.
const (
	FaultNone      Fault = "no report in the archive"
	FaultCut       Fault = "the JSON is cut in the middle"
	FaultInvalid   Fault = "not a report" // also what can be read in two ways: two reports, a section twice
	FaultTooLarge  Fault = "too large when unpacked"
	FaultTraversal Fault = "a name in the archive leads out of it" // also a link
	FaultArchive   Fault = "the archive is damaged"
)

// Error says what is wrong with a report, for people.
type Error struct {
	Fault Fault
	// Text names values and what to do.
	Text string
	Err  error
}

// Error implements error.
func (e *Error) Error() string { return e.Text }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }
