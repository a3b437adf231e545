package mdecore

import (
	"strings"
)

// Microsoft Graph writes enum values in camel case; some of its own samples have them in Pascal case. Values are read in
// camel case, and unknown ones, unknownFutureValue among them, are kept.

// GraphAlertStatus is how far an alert of Microsoft Graph has been dealt with.
type GraphAlertStatus string

// The states of an alert of Microsoft Graph.
const (
	GraphAlertNew        GraphAlertStatus = "new"
	GraphAlertInProgress GraphAlertStatus = "inProgress"
	GraphAlertResolved   GraphAlertStatus = "resolved"
)

// IncidentStatus is how far an incident has been dealt with.
type IncidentStatus string

// The states of an incident. Redirected incidents were merged into another; only Defender Experts set AwaitingAction.
const (
	IncidentActive         IncidentStatus = "active"
	IncidentInProgress     IncidentStatus = "inProgress"
	IncidentResolved       IncidentStatus = "resolved"
	IncidentRedirected     IncidentStatus = "redirected"
	IncidentAwaitingAction IncidentStatus = "awaitingAction"
)

// GraphSeverity is how bad an alert or incident of Microsoft Graph is.
type GraphSeverity string

// The severities of Microsoft Graph.
const (
	GraphSeverityUnknown       GraphSeverity = "unknown"
	GraphSeverityInformational GraphSeverity = "informational"
	GraphSeverityLow           GraphSeverity = "low"
	GraphSeverityMedium        GraphSeverity = "medium"
	GraphSeverityHigh          GraphSeverity = "high"
)

// GraphClassification is an analyst's verdict on an alert or incident.
type GraphClassification string

// The verdicts of Microsoft Graph.
const (
	GraphUnclassified                  GraphClassification = "unknown"
	GraphFalsePositive                 GraphClassification = "falsePositive"
	GraphTruePositive                  GraphClassification = "truePositive"
	GraphInformationalExpectedActivity GraphClassification = "informationalExpectedActivity"
)

// GraphDetermination refines a classification.
type GraphDetermination string

// The determinations of Microsoft Graph. For four of them its pages have a second name each: compromisedUser, clean,
// insufficientData and confirmedUserActivity, which are accepted as well.
const (
	GraphUndetermined              GraphDetermination = "unknown"
	GraphAPT                       GraphDetermination = "apt"
	GraphMalware                   GraphDetermination = "malware"
	GraphSecurityPersonnel         GraphDetermination = "securityPersonnel"
	GraphSecurityTesting           GraphDetermination = "securityTesting"
	GraphUnwantedSoftware          GraphDetermination = "unwantedSoftware"
	GraphOther                     GraphDetermination = "other"
	GraphMultiStagedAttack         GraphDetermination = "multiStagedAttack"
	GraphCompromisedAccount        GraphDetermination = "compromisedAccount"
	GraphPhishing                  GraphDetermination = "phishing"
	GraphMaliciousUserActivity     GraphDetermination = "maliciousUserActivity"
	GraphNotMalicious              GraphDetermination = "notMalicious"
	GraphNotEnoughDataToValidate   GraphDetermination = "notEnoughDataToValidate"
	GraphConfirmedActivity         GraphDetermination = "confirmedActivity"
	GraphLineOfBusinessApplication GraphDetermination = "lineOfBusinessApplication"
)

// UnmarshalJSON implements json.Unmarshaler.
func (s *GraphAlertStatus) UnmarshalJSON(data []byte) error { return camelCase(data, s) }

// UnmarshalJSON implements json.Unmarshaler.
func (s *IncidentStatus) UnmarshalJSON(data []byte) error { return camelCase(data, s) }

// UnmarshalJSON implements json.Unmarshaler.
func (s *GraphSeverity) UnmarshalJSON(data []byte) error { return camelCase(data, s) }

// UnmarshalJSON implements json.Unmarshaler.
func (s *GraphClassification) UnmarshalJSON(data []byte) error { return camelCase(data, s) }

// UnmarshalJSON implements json.Unmarshaler.
func (s *GraphDetermination) UnmarshalJSON(data []byte) error { return camelCase(data, s) }

// camelCase reads an enum value and makes its first letter small.
func camelCase[T ~string](data []byte, out *T) error {
	text, _, err := jsonText(data)
	if text != "" {
		text = strings.ToLower(text[:1]) + text[1:]
	}
	*out = T(text)
	return err
}

// check refuses a classification that cannot be set.
func (c GraphClassification) check() error {
	return checkOptionalEnum("classification", c, GraphUnclassified, GraphFalsePositive, GraphTruePositive, GraphInformationalExpectedActivity)
}

// check refuses a determination that cannot be set.
func (d GraphDetermination) check() error {
	return checkOptionalEnum("determination", d,
		GraphUndetermined, GraphAPT, GraphMalware, GraphSecurityPersonnel, GraphSecurityTesting, GraphUnwantedSoftware, GraphOther,
		GraphMultiStagedAttack, GraphCompromisedAccount, "compromisedUser", GraphPhishing, GraphMaliciousUserActivity, GraphNotMalicious,
		"clean", GraphNotEnoughDataToValidate, "insufficientData", GraphConfirmedActivity, "confirmedUserActivity", GraphLineOfBusinessApplication)
}
