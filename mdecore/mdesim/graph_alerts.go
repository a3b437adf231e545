package mdesim

import (
	"strconv"
	"time"
)

// maxGraphAlerts is the largest page of alerts. The page shows 100 and states no
// limit; the simulator takes no more.
const maxGraphAlerts = 100

// alertV2 is an alert as Graph sends it.
type alertV2 struct {
	Type              string           `json:"@odata.type"`
	ID                string           `json:"id"`
	ProviderAlertID   string           `json:"providerAlertId"`
	IncidentID        Nullable         `json:"incidentId"`
	Status            string           `json:"status"`
	Severity          string           `json:"severity"`
	Classification    string           `json:"classification"`
	Determination     string           `json:"determination"`
	ServiceSource     string           `json:"serviceSource"`
	DetectionSource   string           `json:"detectionSource"`
	DetectorID        string           `json:"detectorId"`
	TenantID          string           `json:"tenantId"`
	Title             string           `json:"title"`
	Description       string           `json:"description"`
	Category          string           `json:"category"`
	AssignedTo        Nullable         `json:"assignedTo"`
	AlertWebURL       string           `json:"alertWebUrl"`
	IncidentWebURL    string           `json:"incidentWebUrl"`
	ActorDisplayName  Nullable         `json:"actorDisplayName"`
	ThreatDisplayName Nullable         `json:"threatDisplayName"`
	ThreatFamilyName  Nullable         `json:"threatFamilyName"`
	MitreTechniques   []string         `json:"mitreTechniques"`
	Created           time.Time        `json:"createdDateTime"`
	Updated           time.Time        `json:"lastUpdateDateTime"`
	Resolved          *time.Time       `json:"resolvedDateTime"`
	FirstActivity     time.Time        `json:"firstActivityDateTime"`
	LastActivity      time.Time        `json:"lastActivityDateTime"`
	SystemTags        []string         `json:"systemTags"`
	Comments          []graphComment   `json:"comments"`
	Evidence          []map[string]any `json:"evidence"`
}

// graphComment is a comment as Graph sends it.
type graphComment struct {
	Type    string    `json:"@odata.type"`
	Comment string    `json:"comment"`
	By      string    `json:"createdByDisplayName"`
	At      time.Time `json:"createdDateTime"`
}

// detectionSourceV2 is the sensor as Graph names it.
func detectionSourceV2(source string) string {
	switch source {
	case "WindowsDefenderAtp":
		return "microsoftDefenderForEndpoint"
	case "WindowsDefenderAv":
		return "antivirus"
	case "CustomerTI":
		return "customTi"
	}
	return lowerFirst(source)
}

func portal(kind, id, tenant string) string {
	return "https://security.microsoft.com/" + kind + "/" + id + "?tid=" + tenant
}

// alertV2 is an alert as Graph sends it. Both APIs use the same id for it.
func (t *Tenant) alertV2(a *Alert) alertV2 {
	incident := ""
	if a.IncidentID != nil {
		incident = strconv.FormatInt(*a.IncidentID, 10)
	}
	out := alertV2{
		Type: "#microsoft.graph.security.alert", ID: a.ID, ProviderAlertID: a.ID, IncidentID: Nullable(incident),
		Status: lowerFirst(a.Status), Severity: graphSeverity(a.Severity),
		Classification: orDefault(lowerFirst(string(a.Classification)), "unknown"), Determination: graphDetermination(a.Determination),
		ServiceSource: "microsoftDefenderForEndpoint", DetectionSource: detectionSourceV2(a.DetectionSource), DetectorID: a.DetectorID,
		TenantID: a.AADTenantID, Title: a.Title, Description: a.Description, Category: a.Category, AssignedTo: a.AssignedTo,
		AlertWebURL: portal("alerts", a.ID, t.ID), IncidentWebURL: portal("incidents", incident, t.ID),
		ThreatDisplayName: a.ThreatName, ThreatFamilyName: a.ThreatFamilyName, MitreTechniques: a.MitreTechniques,
		Created: a.AlertCreationTime, Updated: a.LastUpdateTime, Resolved: a.ResolvedTime,
		FirstActivity: a.FirstEventTime, LastActivity: a.LastEventTime,
		SystemTags: []string{}, Comments: []graphComment{}, Evidence: t.evidenceV2(a),
	}
	for _, comment := range a.Comments {
		out.Comments = append(out.Comments, graphComment{"microsoft.graph.security.alertComment", comment.Comment, comment.CreatedBy, comment.CreatedTime})
	}
	return out
}

// evidenceV2 is the alert's device and its entities, each in its own type.
func (t *Tenant) evidenceV2(a *Alert) []map[string]any {
	out := []map[string]any{}
	if d, ok := t.byID(a.MachineID); ok {
		out = append(out, deviceEvidence(a, d))
	}
	for _, e := range a.Evidence {
		if properties := entityEvidence(a, e); properties != nil {
			out = append(out, properties)
		}
	}
	return out
}

// evidenceOf begins an entity with what all types have.
func evidenceOf(kind string, at time.Time, properties map[string]any) map[string]any {
	properties["@odata.type"] = "#microsoft.graph.security." + kind
	properties["createdDateTime"] = at
	properties["verdict"], properties["remediationStatus"], properties["remediationStatusDetails"] = "unknown", "none", nil
	properties["roles"], properties["detailedRoles"], properties["tags"] = []string{}, []string{}, []string{}
	return properties
}

func deviceEvidence(a *Alert, d *device) map[string]any {
	users, addresses := []map[string]string{}, []string{}
	for _, u := range d.users {
		users = append(users, map[string]string{"accountName": u.AccountName, "domainName": u.AccountDomain})
	}
	for _, ip := range d.IPAddresses {
		addresses = append(addresses, ip.IPAddress)
	}
	e := evidenceOf("deviceEvidence", a.AlertCreationTime, map[string]any{
		"firstSeenDateTime": d.FirstSeen, "mdeDeviceId": d.ID, "azureAdDeviceId": d.AADDeviceID, "deviceDnsName": d.ComputerDNSName,
		"osPlatform": d.OSPlatform, "osBuild": d.OSBuild, "version": d.Version, "healthStatus": lowerFirst(d.HealthStatus),
		"riskScore": lowerFirst(d.RiskScore), "rbacGroupId": d.RBACGroupID, "rbacGroupName": d.RBACGroupName,
		"onboardingStatus": lowerFirst(d.OnboardingStatus), "defenderAvStatus": "unknown", "ipInterfaces": addresses, "loggedOnUsers": users,
	})
	e["tags"] = d.MachineTags
	return e
}

// entityEvidence is one entity; nil for a type that Graph has no counterpart of.
func entityEvidence(a *Alert, e Evidence) map[string]any {
	file := map[string]any{"sha1": e.SHA1, "sha256": e.SHA256, "fileName": e.FileName, "filePath": e.FilePath}
	account := map[string]any{
		"accountName": e.AccountName, "domainName": e.DomainName, "userSid": e.UserSID, "azureAdUserId": e.AADUserID, "userPrincipalName": e.UserPrincipalName,
	}
	detection := Nullable(lowerFirst(string(e.DetectionStatus)))
	switch at := e.EvidenceCreationTime; e.EntityType {
	case "Process":
		return evidenceOf("processEvidence", at, map[string]any{
			"processId": e.ProcessID, "parentProcessId": e.ParentProcessID, "processCommandLine": e.ProcessCommandLine,
			"processCreationDateTime": e.ProcessCreationTime, "parentProcessCreationDateTime": e.ParentProcessCreationTime,
			"detectionStatus": detection, "mdeDeviceId": a.MachineID, "imageFile": file, "userAccount": account,
			"parentProcessImageFile": map[string]any{"fileName": e.ParentProcessFileName, "filePath": e.ParentProcessFilePath},
		})
	case "File":
		return evidenceOf("fileEvidence", at, map[string]any{"detectionStatus": detection, "mdeDeviceId": a.MachineID, "fileDetails": file})
	case "User":
		return evidenceOf("userEvidence", at, map[string]any{"userAccount": account})
	case "Ip":
		return evidenceOf("ipEvidence", at, map[string]any{"ipAddress": e.IPAddress, "countryLetterCode": nil})
	case "Url":
		return evidenceOf("urlEvidence", at, map[string]any{"url": e.URL})
	case "Registry", "RegistryKey", "RegistryValue":
		return evidenceOf("registryValueEvidence", at, map[string]any{
			"registryKey": e.RegistryKey, "registryHive": e.RegistryHive, "registryValue": e.RegistryValue, "registryValueType": e.RegistryValueType,
		})
	}
	return nil
}

// alertV2Schema is the filterable properties of security-list-alerts_v2.md.
func alertV2Schema() schema[*Alert] {
	at := propertyType{kind: kindTime}
	return schema[*Alert]{
		"assignedTo":         {propertyType{kind: kindString}, func(a *Alert) any { return text(string(a.AssignedTo)) }},
		"classification":     {enum(graphClassifications()...), func(a *Alert) any { return orDefault(lowerFirst(string(a.Classification)), "unknown") }},
		"determination":      {enum(graphDeterminations()...), func(a *Alert) any { return graphDetermination(a.Determination) }},
		"createdDateTime":    {at, func(a *Alert) any { return a.AlertCreationTime }},
		"lastUpdateDateTime": {at, func(a *Alert) any { return a.LastUpdateTime }},
		"severity":           {enum(graphSeverities()...), func(a *Alert) any { return graphSeverity(a.Severity) }},
		"serviceSource":      {propertyType{kind: kindString}, func(*Alert) any { return "microsoftDefenderForEndpoint" }},
		"status":             {enum("unknown", "new", "inProgress", "resolved"), func(a *Alert) any { return lowerFirst(a.Status) }},
	}
}

func listAlertsV2(c *call) response {
	return graphList[*Alert]{
		context: "alerts_v2", schema: alertV2Schema(), maxTop: maxGraphAlerts,
		wire: func(a *Alert, _ bool) any { return c.t.alertV2(a) },
	}.serve(c, c.t.alertSnapshot())
}

func getAlertV2(c *call) response {
	c.t.mu.Lock()
	i, all := c.t.findAlert(c.id), c.t.alerts
	c.t.mu.Unlock()
	if i < 0 {
		return c.noGraphResource("alert")
	}
	return c.oneAlertV2(all[i])
}

func (c *call) oneAlertV2(a *Alert) response {
	return c.graphOK(struct {
		Context string `json:"@odata.context"`
		alertV2
	}{c.graphMetadata("alerts_v2/$entity"), c.t.alertV2(a)})
}
