package mdecore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
)

// Secret is a text that is sent and never shown: it prints as [secret], also inside of other values. In JSON it is what it
// is, because a request's body needs it.
type Secret struct {
	// value is behind a pointer, so that printing a value which holds the Secret in an unexported field shows an address.
	value *string
}

// NewSecret keeps a text; the empty one is no secret.
func NewSecret(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{&text}
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.value == nil }

// Format implements fmt.Formatter for every verb.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.String()) }

// String says whether there is a secret, and not which.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return "[secret]"
}

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON writes the secret itself, or null.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.value) }

// UnmarshalJSON implements json.Unmarshaler. Its error does not repeat what it read.
func (s *Secret) UnmarshalJSON(data []byte) error {
	if bytes.Equal(data, []byte("null")) {
		*s = Secret{}
		return nil
	}
	var text string
	if json.Unmarshal(data, &text) != nil {
		return errors.New("a secret is neither a string nor null")
	}
	*s = NewSecret(text)
	return nil
}

// AuthenticatedScanType is a kind of authenticated scan. Unknown values are kept.
type AuthenticatedScanType string

// AuthenticatedScanNetwork scans network devices; the scans of Windows devices have gone from the documentation.
const AuthenticatedScanNetwork AuthenticatedScanType = "Network"

// ScanTargetType says what a scan's targets are. Unknown values are kept.
type ScanTargetType string

// The types of targets. The page's table writes IP Address where its samples write Ip.
const (
	ScanTargetIP        ScanTargetType = "Ip"
	ScanTargetIPAddress ScanTargetType = "IP Address"
	ScanTargetHostname  ScanTargetType = "Hostname"
)

// ScanAuthType is how a scan proves itself to network devices. Unknown values are kept.
type ScanAuthType string

// The methods of SNMP.
const (
	ScanAuthCommunityString ScanAuthType = "CommunityString"
	ScanAuthNoAuthNoPriv    ScanAuthType = "NoAuthNoPriv"
	ScanAuthAuthNoPriv      ScanAuthType = "AuthNoPriv"
	ScanAuthAuthPriv        ScanAuthType = "AuthPriv"
)

// ScanAuthProtocol is how SNMP proves who asks. Unknown values are kept.
type ScanAuthProtocol string

// The authentication protocols.
const (
	ScanAuthMD5  ScanAuthProtocol = "MD5"
	ScanAuthSHA1 ScanAuthProtocol = "SHA1"
)

// ScanPrivProtocol is how SNMP encrypts. Unknown values are kept.
type ScanPrivProtocol string

// The privacy protocols.
const (
	ScanPrivDES  ScanPrivProtocol = "DES"
	ScanPriv3DES ScanPrivProtocol = "3DES"
	ScanPrivAES  ScanPrivProtocol = "AES"
)

// SNMPAuthParams is the only documented value of ScanAuthenticationParams.ODataType.
const SNMPAuthParams = "#microsoft.windowsDefenderATP.api.SnmpAuthParams"

// ScanAuthenticationParams is the scanAuthenticationParams resource (get-authenticated-scan-properties.md).
type ScanAuthenticationParams struct {
	// ODataType is SNMPAuthParams, also when it is empty in a request.
	ODataType string       `json:"@odata.type,omitempty"`
	Type      ScanAuthType `json:"type,omitempty"`
	// KeyVaultURL and KeyVaultSecretName say where the scanner finds its secrets, instead of those below.
	KeyVaultURL        string `json:"keyVaultUrl,omitempty"`
	KeyVaultSecretName string `json:"keyVaultSecretName,omitempty"`
	// Username is for all methods but CommunityString.
	Username        string `json:"username,omitempty"`
	CommunityString Secret `json:"communityString,omitzero"`
	// AuthProtocol is for AuthNoPriv and AuthPriv.
	AuthProtocol ScanAuthProtocol `json:"authProtocol,omitempty"`
	AuthPassword Secret           `json:"authPassword,omitzero"`
	// PrivProtocol is for AuthPriv.
	PrivProtocol ScanPrivProtocol `json:"privProtocol,omitempty"`
	PrivPassword Secret           `json:"privPassword,omitzero"`
}

// LogValue implements slog.LogValuer, because a log in JSON would write the secrets.
func (p ScanAuthenticationParams) LogValue() slog.Value {
	return slog.StringValue(fmt.Sprintf("%+v", p))
}

// secrets are the texts that must not be repeated.
func (p ScanAuthenticationParams) secrets() []Secret {
	return []Secret{p.CommunityString, p.AuthPassword, p.PrivPassword}
}

// ScannerAgent is the scannerAgent resource (add-a-new-scan-definition.md): the machine that scans, as a definition
// names it.
type ScannerAgent struct {
	// ID is the organisation's id, an underscore and the machine's id.
	ID                            string `json:"id"`
	MachineID                     string `json:"machineId"`
	MachineName                   string `json:"machineName"`
	LastSeen                      Time   `json:"lastSeen"`
	AssignedApplicationID         string `json:"assignedApplicationId"`
	ScannerSoftwareVersion        string `json:"scannerSoftwareVersion"`
	LastCommandExecutionTimestamp Time   `json:"lastCommandExecutionTimestamp"`
	MDEClientVersion              string `json:"mdeClientVersion"`
}

// ScanAgent is the scanAgent resource (get-all-scan-agents.md): a machine that can scan.
type ScanAgent struct {
	// ID is the organisation's id, an underscore and the machine's id.
	ID                            string `json:"id"`
	MachineID                     string `json:"machineId"`
	LastSeen                      Time   `json:"lastSeen"`
	ComputerDNSName               string `json:"computerDnsName"`
	AssignedApplicationID         string `json:"AssignedApplicationId"`
	ScannerSoftwareVersion        string `json:"ScannerSoftwareVersion"`
	LastCommandExecutionTimestamp Time   `json:"LastCommandExecutionTimestamp"`
	MDEClientVersion              string `json:"mdeClientVersion"`
}

// LatestScan is how the last run of a definition ended. All is empty before the first.
type LatestScan struct {
	// Status is e.g. Success, Partial Success or Fail.
	Status            string `json:"status"`
	FailureReason     string `json:"failureReason"`
	ExecutionDateTime Time   `json:"executionDateTime"`
}

// ScanDefinition is the scan definition resource (get-authenticated-scan-properties.md): what is scanned, by which
// machine, how often.
type ScanDefinition struct {
	ID       string                `json:"id"`
	ScanType AuthenticatedScanType `json:"scanType"`
	ScanName string                `json:"scanName"`
	IsActive bool                  `json:"isActive"`
	// OrgID is the organisation's id.
	OrgID           string         `json:"orgId"`
	IntervalInHours Int            `json:"intervalInHours"`
	CreatedBy       string         `json:"createdBy"`
	TargetType      ScanTargetType `json:"targetType"`
	// Target is addresses or host names with commas between them.
	Target string `json:"target"`
	// ScanAuthenticationParams come without secrets from the methods of Client, and not at all from those that write.
	ScanAuthenticationParams *ScanAuthenticationParams `json:"scanAuthenticationParams"`
	ScannerAgent             *ScannerAgent             `json:"scannerAgent"`
	LatestScan               *LatestScan               `json:"latestScan"`
	// AdvancedActiveConfiguration is null in all samples.
	AdvancedActiveConfiguration json.RawMessage `json:"advancedActiveConfiguration,omitempty"`
}

// withoutSecrets is the definition as it may be shown. The service is documented to send the passwords of a scan to
// whoever may read machines; nobody behind this client has a use for them.
func (d *ScanDefinition) withoutSecrets() *ScanDefinition {
	if p := d.ScanAuthenticationParams; p != nil {
		p.CommunityString, p.AuthPassword, p.PrivPassword = Secret{}, Secret{}, Secret{}
	}
	return d
}

// ScanHistoryByDefinition is the scan history resource (Get-scan-history-by-definition.md): the last run of a definition.
type ScanHistoryByDefinition struct {
	// ScanDefinitionIDs is the id of one definition, in spite of the name.
	ScanDefinitionIDs string `json:"ScanDefinitionIds"`
	LastScanned       Time   `json:"LastScanned"`
	// ScanStatus is e.g. Success, Partial Success or Fail.
	ScanStatus string `json:"ScanStatus"`
	// ScannerID is the id of the machine that scanned.
	ScannerID string `json:"ScannerId"`
}

// ScanHistoryBySession is the scan history resource (Get-scan-history-by-session.md): one run with its targets.
type ScanHistoryBySession struct {
	OrgID string `json:"orgId"`
	// ScanDefinitionIDs and SessionIDs are one id each, in spite of the names.
	ScanDefinitionIDs                  string          `json:"ScanDefinitionIds"`
	SessionIDs                         string          `json:"SessionIds"`
	NumberOfSuccessfullyScannedTargets Int             `json:"NumberOfSuccessfullyScannedTargets"`
	NumberOfTargets                    Int             `json:"NumberOfTargets"`
	ScanStatus                         string          `json:"ScanStatus"`
	LastScanned                        Time            `json:"LastScanned"`
	ListScannedTargets                 []ScannedTarget `json:"ListScannedTargets"`
}

// ScannedTarget is what a run found at one target. Descriptions are what the device says of itself.
type ScannedTarget struct {
	IP                       string `json:"Ip"`
	Hostname                 string `json:"Hostname"`
	ScannedDeviceDescription string `json:"ScannedDeviceDescription"`
	ErrorMessage             string `json:"ErrorMessage"`
	ScanStatus               string `json:"ScanStatus"`
	// ScanDuration is like 00:08:30: hours, minutes and seconds.
	ScanDuration string `json:"ScanDuration"`
}

// ScannerAgentReference names the machine that is to scan.
type ScannerAgentReference struct {
	MachineID string `json:"machineId"`
}

// CreateScanDefinitionRequest is the body of CreateScanDefinition. Every field is required; IsActive false makes a
// definition that does not run.
type CreateScanDefinitionRequest struct {
	ScanType AuthenticatedScanType `json:"scanType"`
	ScanName string                `json:"scanName"`
	IsActive bool                  `json:"isActive"`
	// Target is addresses or host names with commas between them.
	Target          string                `json:"target"`
	IntervalInHours int                   `json:"intervalInHours"`
	TargetType      ScanTargetType        `json:"targetType"`
	ScannerAgent    ScannerAgentReference `json:"scannerAgent"`
	// ScanAuthenticationParams hold what Type wants, or a Key Vault.
	ScanAuthenticationParams ScanAuthenticationParams `json:"scanAuthenticationParams"`
}

// LogValue implements slog.LogValuer, because a log in JSON would write the secrets.
func (r CreateScanDefinitionRequest) LogValue() slog.Value {
	return slog.StringValue(fmt.Sprintf("%+v", r))
}

// UpdateScanDefinitionRequest is the body of UpdateScanDefinition. Only what is set is sent; everything else keeps its
// value.
type UpdateScanDefinitionRequest struct {
	ScanType                 AuthenticatedScanType     `json:"scanType,omitempty"`
	ScanName                 string                    `json:"scanName,omitempty"`
	IsActive                 *bool                     `json:"isActive,omitempty"`
	Target                   string                    `json:"target,omitempty"`
	IntervalInHours          int                       `json:"intervalInHours,omitempty"`
	TargetType               ScanTargetType            `json:"targetType,omitempty"`
	ScannerAgent             *ScannerAgentReference    `json:"scannerAgent,omitempty"`
	ScanAuthenticationParams *ScanAuthenticationParams `json:"scanAuthenticationParams,omitempty"`
}

// LogValue implements slog.LogValuer, because a log in JSON would write the secrets.
func (r UpdateScanDefinitionRequest) LogValue() slog.Value {
	if r.ScanAuthenticationParams == nil {
		return slog.StringValue(fmt.Sprintf("%+v", r))
	}
	auth := *r.ScanAuthenticationParams
	r.ScanAuthenticationParams = nil
	return slog.StringValue(fmt.Sprintf("%+v %+v", r, auth))
}

// BatchDeleteScanDefinitionsRequest is the body of one call of BatchDeleteScanDefinitions.
type BatchDeleteScanDefinitionsRequest struct {
	ScanDefinitionIDs []string `json:"ScanDefinitionIds"`
}

// ScanHistoryByDefinitionRequest is the body of GetScanHistoryByDefinition.
type ScanHistoryByDefinitionRequest struct {
	ScanDefinitionIDs []string `json:"ScanDefinitionIds"`
}

// ScanHistoryBySessionRequest is the body of GetScanHistoryBySession.
type ScanHistoryBySessionRequest struct {
	SessionIDs []string `json:"SessionIds"`
}
