package mdecore

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// UpdateAlertRequest is the body of UpdateAlert: what to change on an alert. Only what is set is sent; everything else keeps its value.
type UpdateAlertRequest struct {
	// Status is New, InProgress or Resolved.
	Status AlertStatus `json:"status,omitempty"`
	// AssignedTo is the new owner, e.g. secop1@contoso.com.
	AssignedTo string `json:"assignedTo,omitempty"`
	// Classification is the verdict, Determination refines it.
	Classification AlertClassification `json:"classification,omitempty"`
	Determination  AlertDetermination  `json:"determination,omitempty"`
	// Comment is added to the alert's comments.
	Comment string `json:"comment,omitempty"`
}

// BatchUpdateAlertsRequest is the body of BatchUpdateAlerts.
type BatchUpdateAlertsRequest struct {
	// AlertIDs are the alerts to change, any number.
	AlertIDs []string `json:"alertIds"`
	UpdateAlertRequest
}

// CreateAlertRequest is the body of CreateAlertByReference. Every field is required.
type CreateAlertRequest struct {
	// MachineID, EventTime and ReportID name an event as advanced hunting returned it; the time to its last digit.
	MachineID string `json:"machineId"`
	EventTime Time   `json:"eventTime"`
	ReportID  string `json:"reportId"`
	// Severity is Low, Medium or High.
	Severity          AlertSeverity `json:"severity"`
	Title             string        `json:"title"`
	Description       string        `json:"description"`
	RecommendedAction string        `json:"recommendedAction"`
	// Category is one of AlertCategories.
	Category string `json:"category"`
}

// AlertCategories are the categories that CreateAlertByReference takes.
func AlertCategories() []string {
	return []string{
		"General", "CommandAndControl", "Collection", "CredentialAccess", "DefenseEvasion", "Discovery", "Exfiltration", "Exploit",
		"Execution", "InitialAccess", "LateralMovement", "Malware", "Persistence", "PrivilegeEscalation", "Ransomware", "SuspiciousActivity",
	}
}

// UpdateAlert changes an alert and returns it. An answer about another alert is an error of uncertain outcome.
// Documentation page: update-alert.md.
//
//mde:op PATCH /api/alerts/{alert_id} roles=Alert.ReadWrite.All
func (c *Client) UpdateAlert(ctx context.Context, id string, req UpdateAlertRequest) (*Alert, error) {
	const op = "UpdateAlert"
	alert, err := send[Alert](ctx, c, call{op: op, args: alertArg(id), body: req, invalid: req.check()})
	if err != nil {
		return nil, err
	}
	return alert.named(op, id)
}

// maxAlertBatch is our own limit: the page states none, and a refused or lost call of this size can still be looked through.
const maxAlertBatch = 100

// BatchUpdateAlerts changes any number of alerts in the same way, at most 100 in one call. The results are in the order of
// the ids, without repeated ones. A batch that the service refuses does not keep the next ones from being sent; after one
// whose outcome is unknown nothing more is sent. The service's answer is empty, so that nil means no more than that it
// accepted the batch. The error is nil when all are done, otherwise a *BulkError; bad arguments are refused as a whole.
// Documentation page: batch-update-alerts.md.
//
//mde:op POST /api/alerts/batchUpdate roles=Alert.ReadWrite.All
func (c *Client) BatchUpdateAlerts(ctx context.Context, req BatchUpdateAlertsRequest) ([]ItemResult, error) {
	const op = "BatchUpdateAlerts"
	if err := req.check(); err != nil {
		return nil, refuse(op, err)
	}
	return bulk[string]{
		op: op, size: maxAlertBatch, id: func(id string) string { return id },
		send: func(ctx context.Context, ids []string) (map[string]error, error) {
			return nil, c.write(ctx, call{op: op, body: BatchUpdateAlertsRequest{ids, req.UpdateAlertRequest}}, nil)
		},
	}.run(ctx, req.AlertIDs)
}

// CreateAlertByReference raises an alert about an event that advanced hunting found. The service adds to an open alert of
// the same title on the same machine instead of raising a second one, and starts an automated investigation. An answer
// without an id, or about another machine, is an error of uncertain outcome.
// Documentation page: create-alert-by-reference.md.
//
//mde:op POST /api/alerts/CreateAlertByReference roles=Alert.ReadWrite.All
func (c *Client) CreateAlertByReference(ctx context.Context, req CreateAlertRequest) (*Alert, error) {
	const op = "CreateAlertByReference"
	alert, err := send[Alert](ctx, c, call{op: op, body: req, invalid: req.check()})
	switch {
	case err != nil:
		return nil, err
	case alert.ID == "":
		return nil, &Error{Op: op, Message: "the service accepted the request but named no alert id: look at the machine's alerts"}
	case alert.MachineID != "" && !strings.EqualFold(alert.MachineID, req.MachineID):
		return nil, &Error{Op: op, Message: "asked for machine " + req.MachineID + ", but the service's alert " + shorten(alert.ID) +
			" is about machine " + shorten(alert.MachineID)}
	}
	return alert, nil
}

// check refuses what the service would refuse.
func (u UpdateAlertRequest) check() error {
	if u == (UpdateAlertRequest{}) {
		return invalid("alert update", "", "it changes nothing: set status, owner, classification, determination or comment")
	}
	if err := checkOptionalEnum("status", u.Status, AlertStatusNew, AlertStatusInProgress, AlertStatusResolved); err != nil {
		return err
	}
	if err := u.checkVerdict(); err != nil {
		return err
	}
	if u.AssignedTo != "" {
		if err := checkLine("owner", u.AssignedTo); err != nil {
			return err
		}
	}
	return checkComment(u.Comment, u.Comment != "")
}

// determinations are those of each classification on the page alerts.md.
func determinations() map[AlertClassification][]AlertDetermination {
	return map[AlertClassification][]AlertDetermination{
		ClassificationTruePositive: {
			DeterminationMultiStagedAttack, DeterminationMaliciousUserActivity, DeterminationCompromisedUser, DeterminationMalware,
			DeterminationPhishing, DeterminationUnwantedSoftware, DeterminationOther,
		},
		ClassificationInformationalExpectedActivity: {
			DeterminationSecurityTesting, DeterminationLineOfBusinessApplication, DeterminationConfirmedUserActivity, DeterminationOther,
		},
		// The page's own example calls a false positive Malware, against its table; what becomes of that is for the service to say.
		ClassificationFalsePositive: {DeterminationClean, DeterminationInsufficientData, DeterminationMalware, DeterminationOther},
	}
}

// checkVerdict refuses classifications and determinations that do not exist, or not together. A determination alone is
// left to the service, because the alert can have a classification already.
func (u UpdateAlertRequest) checkVerdict() error {
	known := determinations()
	allowed, ok := known[u.Classification]
	switch {
	case u.Classification == "":
		allowed = slices.Concat(slices.Collect(maps.Values(known))...)
	case !ok:
		return invalid("classification", string(u.Classification), "it must be TruePositive, InformationalExpectedActivity or FalsePositive")
	}
	if u.Determination == "" || slices.ContainsFunc(allowed, u.Determination.Same) {
		return nil
	}
	if u.Classification == "" {
		return invalid("determination", string(u.Determination), "there is no such determination: see alerts.md for their names")
	}
	return invalid("determination", string(u.Determination), "classification "+string(u.Classification)+" takes "+listed(allowed))
}

// check refuses what the service would refuse.
func (r BatchUpdateAlertsRequest) check() error {
	if err := checkIDs("alert id", r.AlertIDs); err != nil {
		return err
	}
	return r.UpdateAlertRequest.check()
}

// check refuses what the service would refuse.
func (r CreateAlertRequest) check() error {
	if err := checkMachineID(r.MachineID); err != nil {
		return err
	}
	if err := checkID("report id", r.ReportID); err != nil {
		return err
	}
	if r.EventTime.IsZero() {
		return invalid("event time", "", "it is missing: give the event's Timestamp as advanced hunting returned it")
	}
	if err := checkEnum("severity", r.Severity, SeverityLow, SeverityMedium, SeverityHigh); err != nil {
		return err
	}
	if err := checkEnum("category", r.Category, AlertCategories()...); err != nil {
		return err
	}
	if err := checkLine("title", r.Title); err != nil {
		return err
	}
	if err := checkText("description", r.Description); err != nil {
		return err
	}
	return checkText("recommended action", r.RecommendedAction)
}
