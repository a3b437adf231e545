package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"mime"
	"regexp"
	"strings"
	"time"
)

// format is the number of the manifest's form. Fields are only added; anything else takes the next number.
const format = 1

// Meta is what the caller of Put knows about a content. A link it was fetched from has no place in it: links are
// credentials.
type Meta struct {
	// DeviceID and DeviceName say where it was collected; the name is untrusted text.
	DeviceID   string `json:"device_id"`
	DeviceName string `json:"device_name,omitempty"`
	// ActionType and ActionID are the machine action that collected it.
	ActionType string `json:"action_type"`
	ActionID   string `json:"action_id"`
	// RequestID is the request that asked for it, Requester the canonical id of who asked, Approvers of who said yes.
	RequestID string   `json:"request_id"`
	Requester string   `json:"requester"`
	Approvers []string `json:"approvers,omitempty"`
	// CollectedAt is when the device gave it.
	CollectedAt time.Time `json:"collected_at"`
	// Name is the file's original name, sanitised by Put.
	Name string `json:"name"`
	// ContentType is the media type as it was stated; empty when none was.
	ContentType string `json:"content_type,omitempty"`
}

// Manifest describes one collection of one content.
type Manifest struct {
	Format int    `json:"format"`
	ID     string `json:"id"`
	Meta
	StoredAt time.Time `json:"stored_at"`
	// SHA256 (hex) and Size (bytes) are of the content as it was collected.
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
	// PartSize is the length of all parts but the last, Parts their SHA-256 (hex) in order.
	PartSize int64    `json:"part_size"`
	Parts    []string `json:"parts,omitempty"`
	// Unpacked is set where the content is an archive.
	Unpacked *Unpacked `json:"unpacked,omitempty"`
	// Removed is set when retention removed the content; the manifest stays.
	Removed *Removal `json:"removed,omitempty"`
}

// Unpacked describes what an archive of one file holds.
type Unpacked struct {
	// Archive is "gzip" or "zip".
	Archive string `json:"archive"`
	// Name is the sanitised name inside; SHA256 (hex) and Size (bytes) are of the unpacked content.
	Name   string `json:"name,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	Size   int64  `json:"size,omitempty"`
	// Note says why there is no hash.
	Note string `json:"note,omitempty"`
}

// Removal says when a content was removed, by whom and why.
type Removal struct {
	At  time.Time `json:"at"`
	By  string    `json:"by"`
	Why string    `json:"why"`
}

// Digest is the SHA-256 (hex) of everything in the manifest but its removal. An approval that holds it is for this
// content and no other, even if somebody writes another manifest.
func (m Manifest) Digest() (string, error) {
	m.Removed = nil
	b, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("the manifest of evidence %s can't be written as JSON: %w", m.ID, err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

var (
	wordText = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]*$`)
	sumText  = regexp.MustCompile(`^[0-9a-f]+$`)
)

// maxWord bounds ids, maxText other texts of a manifest, in bytes; maxManifest a manifest's JSON.
const (
	maxWord     = 128
	maxText     = 256
	maxManifest = 256 << 10
)

// checked returns m as it will be stored, or says what is missing or wrong.
func (m Meta) checked() (Meta, error) {
	for _, f := range []struct{ name, value string }{
		{"DeviceID", m.DeviceID}, {"ActionType", m.ActionType}, {"ActionID", m.ActionID}, {"RequestID", m.RequestID},
	} {
		if !word(f.value) {
			return m, fmt.Errorf("evidence: Meta.%s is %q; it must be letters, digits, '.', '-' and '_', at most %d", f.name, clip(f.value), maxWord)
		}
	}
	if strings.TrimSpace(m.Requester) == "" || m.CollectedAt.IsZero() {
		return m, fmt.Errorf("evidence: Meta.Requester and Meta.CollectedAt must be set, so that it is known who asked and when it was collected")
	}
	m.DeviceID, m.RequestID = strings.ToLower(m.DeviceID), strings.ToUpper(m.RequestID)
	m.DeviceName, m.Requester = visible(m.DeviceName), visible(m.Requester)
	approvers := make([]string, 0, len(m.Approvers))
	for _, a := range m.Approvers {
		approvers = append(approvers, visible(a))
	}
	m.Approvers = approvers
	m.CollectedAt, m.Name = m.CollectedAt.UTC().Truncate(time.Millisecond), SafeName(m.Name)
	if media, _, err := mime.ParseMediaType(m.ContentType); err == nil {
		m.ContentType = clip(media)
	} else {
		m.ContentType = ""
	}
	return m, nil
}

func word(s string) bool { return len(s) <= maxWord && wordText.MatchString(s) }

func isSum(s string) bool { return len(s) == 2*sha256.Size && sumText.MatchString(s) }

// visible drops what a reader can't see, and cuts what is too long.
func visible(s string) string {
	return clip(strings.Map(func(r rune) rune {
		if r != ' ' && safeRune(r) == -1 {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "_")))
}

func clip(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "")
}

// decodeManifest reads a stored manifest. It is strict, because what can't be understood must not be vouched for.
func decodeManifest(id string, b []byte) (Manifest, error) {
	var m Manifest
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil || d.More() {
		return Manifest{}, &AlteredError{ID: id, Why: "its manifest can't be read"}
	}
	switch {
	case m.Format != format:
		return Manifest{}, &AlteredError{ID: id, Why: fmt.Sprintf("its manifest has format %d and this version reads %d", m.Format, format)}
	case m.ID != id, !isSum(m.SHA256), m.Size < 0, !m.wholeParts():
		return Manifest{}, &AlteredError{ID: id, Why: "its manifest contradicts itself"}
	}
	return m, nil
}

// wholeParts reports whether the parts cover the content exactly.
func (m Manifest) wholeParts() bool {
	if m.PartSize < 1 || int64(len(m.Parts)) != (m.Size+m.PartSize-1)/m.PartSize {
		return false
	}
	for _, p := range m.Parts {
		if !isSum(p) {
			return false
		}
	}
	return true
}

// AlteredError says that stored evidence is not what was stored.
type AlteredError struct {
	// ID is the evidence, Why what is wrong.
	ID, Why string
}

// Error names the evidence and what is wrong.
func (e *AlteredError) Error() string {
	return fmt.Sprintf("evidence %s was altered since it was stored: %s", clip(e.ID), e.Why)
}

// RemovedError says that retention removed a content.
type RemovedError struct {
	ID      string
	Removal Removal
}

// Error says when and why.
func (e *RemovedError) Error() string {
	return fmt.Sprintf("the content of evidence %s was removed on %s by %s: %s", clip(e.ID), e.Removal.At.Format(time.RFC3339), e.Removal.By, e.Removal.Why)
}
