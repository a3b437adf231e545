package mdecore

import (
	"encoding/json"
	"strings"
)

// IndicatorType is what an indicator is compared with. Unknown values are kept.
type IndicatorType string

// The types of indicators.
const (
	IndicatorFileSHA1              IndicatorType = "FileSha1"
	IndicatorFileSHA256            IndicatorType = "FileSha256"
	IndicatorFileMD5               IndicatorType = "FileMd5"
	IndicatorCertificateThumbprint IndicatorType = "CertificateThumbprint"
	IndicatorIPAddress             IndicatorType = "IpAddress"
	IndicatorDomainName            IndicatorType = "DomainName"
	IndicatorURL                   IndicatorType = "Url"
)

// IndicatorTypes are the types that SubmitIndicator takes.
func IndicatorTypes() []IndicatorType {
	return []IndicatorType{
		IndicatorFileSHA1, IndicatorFileSHA256, IndicatorFileMD5, IndicatorCertificateThumbprint, IndicatorIPAddress, IndicatorDomainName, IndicatorURL,
	}
}

// IndicatorAction is what machines do about what an indicator names. Unknown values are kept.
type IndicatorAction string

// The actions of indicators. Audit wants GenerateAlert; Warn is for Defender for Cloud Apps. IndicatorAlert and
// IndicatorAlertAndBlock are names from before January 2022, which lists still hold: use Audit or BlockAndRemediate instead.
const (
	IndicatorAllowed           IndicatorAction = "Allowed"
	IndicatorAudit             IndicatorAction = "Audit"
	IndicatorWarn              IndicatorAction = "Warn"
	IndicatorBlock             IndicatorAction = "Block"
	IndicatorBlockAndRemediate IndicatorAction = "BlockAndRemediate"
	IndicatorAlert             IndicatorAction = "Alert"
	IndicatorAlertAndBlock     IndicatorAction = "AlertAndBlock"
)

// IndicatorActions are the actions that SubmitIndicator takes, the old names last.
func IndicatorActions() []IndicatorAction {
	return []IndicatorAction{
		IndicatorAllowed, IndicatorAudit, IndicatorWarn, IndicatorBlock, IndicatorBlockAndRemediate, IndicatorAlert, IndicatorAlertAndBlock,
	}
}

// Blocks reports whether machines keep people or programs from what the indicator names. An unknown action counts as one
// that does.
func (a IndicatorAction) Blocks() bool {
	switch a {
	case IndicatorAllowed, IndicatorAudit, IndicatorAlert:
		return false
	default:
		return true
	}
}

// IndicatorSourceType says who made an indicator: a person or an application. Unknown values are kept.
type IndicatorSourceType string

// The makers of indicators.
const (
	IndicatorSourceUser   IndicatorSourceType = "User"
	IndicatorSourceAadApp IndicatorSourceType = "AadApp"
)

// Indicator is the indicator resource (ti-indicator.md): a file, address, domain, URL or certificate that machines
// allow, watch or block.
type Indicator struct {
	// ID is a number written as a text.
	ID             ID              `json:"id"`
	IndicatorValue string          `json:"indicatorValue"`
	IndicatorType  IndicatorType   `json:"indicatorType"`
	Application    string          `json:"application"`
	Action         IndicatorAction `json:"action"`
	// ExternalID is the caller's own correlation id.
	ExternalID string `json:"externalID"`
	// SourceType says what CreatedBy is.
	SourceType IndicatorSourceType `json:"sourceType"`
	// CreatedBySource is the page's name for what the service sends as Source; Creator returns whichever there is.
	CreatedBySource string `json:"createdBySource"`
	Source          string `json:"source"`
	// CreatedBy is the id of the application or the name of the person.
	CreatedBy               string `json:"createdBy"`
	LastUpdatedBy           string `json:"lastUpdatedBy"`
	CreationTimeDateTimeUTC Time   `json:"creationTimeDateTimeUtc"`
	// ExpirationTime is zero for an indicator that stays.
	ExpirationTime     Time          `json:"expirationTime"`
	LastUpdateTime     Time          `json:"lastUpdateTime"`
	Severity           AlertSeverity `json:"severity"`
	Title              string        `json:"title"`
	Description        string        `json:"description"`
	RecommendedActions string        `json:"recommendedActions"`
	// RbacGroupNames and RbacGroupIDs are the device groups that it is for; none means all machines.
	RbacGroupNames Strings `json:"rbacGroupNames"`
	RbacGroupIDs   []ID    `json:"rbacGroupIds"`
	// GenerateAlert says that a match raises an alert.
	GenerateAlert bool `json:"generateAlert"`
}

// Creator is the name of the application or person that made the indicator.
func (i *Indicator) Creator() string {
	if i.Source != "" {
		return i.Source
	}
	return i.CreatedBySource
}

// UnmarshalJSON implements json.Unmarshaler: generateAlert is a truth value in one place of the documentation, and one of
// the words True and False in another.
func (i *Indicator) UnmarshalJSON(data []byte) error {
	type plain Indicator
	wire := struct {
		*plain
		GenerateAlert any `json:"generateAlert"`
	}{plain: (*plain)(i)}
	if err := json.Unmarshal(data, &wire); err != nil {
		return err
	}
	switch v := wire.GenerateAlert.(type) {
	case bool:
		i.GenerateAlert = v
	case string:
		i.GenerateAlert = strings.EqualFold(v, "true")
	default:
		i.GenerateAlert = false
	}
	return nil
}

// ImportResult is the importResult resource (import-ti-indicators.md): what became of one indicator of an import.
type ImportResult struct {
	ID ID `json:"id"`
	// Indicator is the value.
	Indicator     string `json:"indicator"`
	IsFailed      bool   `json:"isFailed"`
	FailureReason string `json:"failureReason"`
}

// IndicatorResult is what became of one indicator of ImportIndicators. Its ItemResult.ID is the indicator's value.
type IndicatorResult struct {
	ItemResult
	// IndicatorID is the id that the service gave to the indicator, "" when it was not imported.
	IndicatorID string
}

// IndicatorRequest says what an indicator is to be: the body of SubmitIndicator, and one item of ImportIndicators.
type IndicatorRequest struct {
	// IndicatorValue and IndicatorType are required: a SHA-1, SHA-256 or MD5 in hexadecimal digits, a certificate's
	// thumbprint of 40, an address without a range, a host name, or an address of the web.
	IndicatorValue string        `json:"indicatorValue"`
	IndicatorType  IndicatorType `json:"indicatorType"`
	// Action is required.
	Action IndicatorAction `json:"action"`
	// Title and Description are required, for the alert that a match raises.
	Title       string `json:"title"`
	Description string `json:"description"`
	// Application is the name that a blocked person sees. The service reads it only when the indicator is new.
	Application string `json:"application,omitempty"`
	// ExpirationTime is when the indicator ends; zero for never.
	ExpirationTime Time `json:"expirationTime,omitzero"`
	// Severity is Informational, Low, Medium or High; "" for the service's default.
	Severity           AlertSeverity `json:"severity,omitempty"`
	RecommendedActions string        `json:"recommendedActions,omitempty"`
	// RbacGroupNames are the device groups that it is for; none means all machines.
	RbacGroupNames []string `json:"rbacGroupNames,omitzero"`
	// EducateURL is where a blocked person can read more: for Block and Warn of a URL.
	EducateURL string `json:"educateUrl,omitempty"`
	// GenerateAlert raises an alert at a match; Audit wants it. It is always sent, so that an update can switch it off.
	GenerateAlert bool `json:"generateAlert"`
}

// ImportIndicatorsRequest is the body of one call of ImportIndicators.
type ImportIndicatorsRequest struct {
	// Indicators are at most 500.
	Indicators []IndicatorRequest `json:"Indicators"`
}

// BatchDeleteIndicatorsRequest is the body of one call of BatchDeleteIndicators.
type BatchDeleteIndicatorsRequest struct {
	// IndicatorIDs are at most 500.
	IndicatorIDs []string `json:"IndicatorIds"`
}
