package mdecore

// RemediationStatus is how far a remediation task is. Unknown values are kept.
type RemediationStatus string

// The states of a remediation task.
const (
	RemediationActive    RemediationStatus = "Active"
	RemediationCompleted RemediationStatus = "Completed"
)

// RemediationCategory is what a remediation task changes. Unknown values are kept.
type RemediationCategory string

// The categories of remediation tasks.
const (
	RemediationSoftware              RemediationCategory = "Software"
	RemediationSecurityConfiguration RemediationCategory = "Security configuration"
)

// RemediationPriority is how urgent a remediation task is. Unknown values are kept.
type RemediationPriority string

// The priorities of remediation tasks.
const (
	RemediationPriorityHigh   RemediationPriority = "High"
	RemediationPriorityMedium RemediationPriority = "Medium"
	RemediationPriorityLow    RemediationPriority = "Low"
)

// CompletionMethod is how a remediation task was completed. Unknown values are kept.
type CompletionMethod string

// The ways to complete a remediation task: all devices are patched, or somebody says so.
const (
	CompletionAutomatic CompletionMethod = "Automatic"
	CompletionManual    CompletionMethod = "Manual"
)

// RemediationTask is the remediation activity resource (get-remediation-methods-properties.md). Its notes are written by
// others.
type RemediationTask struct {
	ID                   string            `json:"id"`
	Title                string            `json:"title"`
	CreatedOn            Time              `json:"createdOn"`
	RequesterID          string            `json:"requesterId"`
	RequesterEmail       string            `json:"requesterEmail"`
	Status               RemediationStatus `json:"status"`
	StatusLastModifiedOn Time              `json:"statusLastModifiedOn"`
	Description          string            `json:"description"`
	RelatedComponent     string            `json:"relatedComponent"`
	// TargetDevices is how many devices the task is for, FixedDevices how many of them are done.
	TargetDevices Int `json:"targetDevices"`
	// RbacGroupNames are device groups; the page's table says one string, its sample shows a list.
	RbacGroupNames Strings             `json:"rbacGroupNames"`
	FixedDevices   Int                 `json:"fixedDevices"`
	RequesterNotes string              `json:"requesterNotes"`
	DueOn          Time                `json:"dueOn"`
	Category       RemediationCategory `json:"category"`
	// ProductivityImpactRemediationType says whether it is for all exposed devices (AllExposedAssets), or only for those
	// whose users do not notice.
	ProductivityImpactRemediationType string              `json:"productivityImpactRemediationType"`
	Priority                          RemediationPriority `json:"priority"`
	// CompletionMethod, CompleterID and CompleterEmail are empty until the task is completed.
	CompletionMethod CompletionMethod `json:"completionMethod"`
	CompleterID      string           `json:"completerId"`
	CompleterEmail   string           `json:"completerEmail"`
	// SCID names the configuration, for a task of the category Security configuration.
	SCID string          `json:"scid"`
	Type RemediationType `json:"type"`
	// ProductID is the software id, VendorID and NameID are its parts.
	ProductID          string `json:"productId"`
	VendorID           string `json:"vendorId"`
	NameID             string `json:"nameId"`
	RecommendedVersion string `json:"recommendedVersion"`
	RecommendedVendor  string `json:"recommendedVendor"`
	RecommendedProgram string `json:"recommendedProgram"`
}
