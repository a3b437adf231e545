package mdecore

// Score is the score resource (score.md): an exposure score, where less is better, or a secure score, where more is.
type Score struct {
	// Score has no fixed scale: exposure scores are 0 to 100.
	Score Float `json:"score"`
	// Time is when the score was asked for.
	Time Time `json:"time"`
	// RbacGroupName is the device group, in the scores by group alone.
	RbacGroupName string `json:"rbacGroupName"`
	// RbacGroupID is the device group's id; the page's samples leave it out.
	RbacGroupID ID `json:"rbacGroupId"`
}
