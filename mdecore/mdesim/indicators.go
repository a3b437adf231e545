package mdesim

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxIndicators is how many indicators a tenant has room for, as documented.
const maxIndicators = 15000

// The types of effects on indicators. Effect.Scope is the value, Effect.ActionID
// the indicator's id, Effect.Comment its action.
const (
	TypeSubmitIndicator = "SubmitIndicator"
	TypeImportIndicator = "ImportIndicator"
	TypeDeleteIndicator = "DeleteIndicator"
)

// Values of the indicators that a tenant begins with.
const (
	SeededBadAddress = "198.51.100.23" // blocked: the server of the beaconing alert
	SeededBadDomain  = "updates.example-cdn.test"
	SeededGoodFile   = "5a9e2ec4a1c1d77c5c1a0ff3f1b2c3d4e5f60718" // allowed
)

// Indicator is an indicator in the API's own shape (documentation:
// ti-indicator.md). Source and CreatedBySource are the sample's and the table's
// name for the same.
type Indicator struct {
	ID                 string     `json:"id"`
	IndicatorValue     string     `json:"indicatorValue"`
	IndicatorType      string     `json:"indicatorType"`
	Action             string     `json:"action"`
	Application        Nullable   `json:"application"`
	Source             string     `json:"source"`
	SourceType         string     `json:"sourceType"`
	Title              string     `json:"title"`
	CreationTime       time.Time  `json:"creationTimeDateTimeUtc"`
	CreatedBy          string     `json:"createdBy"`
	CreatedBySource    string     `json:"createdBySource"`
	ExternalID         Nullable   `json:"externalID"`
	ExpirationTime     *time.Time `json:"expirationTime"`
	LastUpdateTime     time.Time  `json:"lastUpdateTime"`
	LastUpdatedBy      Nullable   `json:"lastUpdatedBy"`
	Severity           string     `json:"severity"`
	Description        string     `json:"description"`
	RecommendedActions Nullable   `json:"recommendedActions"`
	RBACGroupNames     []string   `json:"rbacGroupNames"`
	RBACGroupIDs       []string   `json:"rbacGroupIds"`
	EducateURL         Nullable   `json:"educateUrl"`
	GenerateAlert      bool       `json:"generateAlert"`
}

// indicatorState is the tenant's indicators, oldest first; they are replaced,
// never changed in place. Tenant.mu protects it.
type indicatorState struct {
	seeded sync.Once
	list   []*Indicator
	byKey  map[string]*Indicator // by type and value
	ending bool                  // some have an expiration time
	last   int64                 // number of the youngest
	hidden []string
}

func indicatorRoutes() []route {
	read := anyOf("Ti.ReadWrite Ti.ReadWrite.All", "Ti.ReadWrite")
	write := anyOf("Ti.ReadWrite.All Ti.ReadWrite", "Ti.ReadWrite")
	return []route{
		on(http.MethodGet, "list_indicators", "/api/indicators", "get-ti-indicators-collection.md", read, listIndicators),
		on(http.MethodPost, "submit_indicator", "/api/indicators", "post-ti-indicator.md", write, submitIndicator),
		on(http.MethodPost, "import_indicators", "/api/indicators/import", "import-ti-indicators.md", write, importIndicators).limited(30, 0),
		on(http.MethodPost, "batch_delete_indicators", "/api/indicators/BatchDelete", "batch-delete-ti-indicators.md",
			anyOf("Ti.ReadWrite.All", ""), deleteIndicators).limited(30, perHour),
		on(http.MethodDelete, "delete_indicator", "/api/indicators/{indicator_id}", "delete-ti-indicator-by-id.md",
			anyOf("Ti.ReadWrite.All Ti.ReadWrite", ""), deleteIndicator),
	}
}

// Indicators returns the indicators that are in force, oldest first.
func (t *Tenant) Indicators() []Indicator {
	t.ready()
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]Indicator, 0, len(t.indicators.list))
	for _, i := range t.activeIndicators() {
		out = append(out, *i)
	}
	return out
}

// Indicator returns the indicator in force of a type and value, such as FileSha1
// and a hash. Case counts in URLs only.
func (t *Tenant) Indicator(kind, value string) (Indicator, bool) {
	t.ready()
	return t.indicatorFor(kind, value)
}

// indicatorFor is Indicator for handlers, which must not hold t.mu.
func (t *Tenant) indicatorFor(kind, value string) (Indicator, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.activeIndicators()
	if found, ok := t.indicators.byKey[indicatorKey(kind, value)]; ok {
		return *found, true
	}
	return Indicator{}, false
}

// HideGroups names device groups that no application is exposed to, so that
// deletions of their indicators in a batch are refused.
func (t *Tenant) HideGroups(names ...string) {
	t.ready()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.indicators.hidden = append(t.indicators.hidden, names...)
}

// indicatorKey is what there is one indicator of: a type and a value, whose case
// counts in URLs only.
func indicatorKey(kind, value string) string {
	if kind != "Url" {
		value = strings.ToLower(value)
	}
	return kind + " " + value
}

// activeIndicators forgets what has expired and returns the rest; the caller
// holds t.mu.
func (t *Tenant) activeIndicators() []*Indicator {
	s := &t.indicators
	s.seeded.Do(t.seedIndicators)
	now := t.now()
	over := func(i *Indicator) bool { return i.ExpirationTime != nil && !i.ExpirationTime.After(now) }
	if s.ending && slices.ContainsFunc(s.list, over) {
		t.dropIndicators(over)
	}
	return s.list
}

// dropIndicators forgets indicators; the caller holds t.mu.
func (t *Tenant) dropIndicators(which func(*Indicator) bool) {
	s := &t.indicators
	kept := make([]*Indicator, 0, len(s.list))
	for _, i := range s.list {
		if which(i) {
			delete(s.byKey, indicatorKey(i.IndicatorType, i.IndicatorValue))
		} else {
			kept = append(kept, i)
		}
	}
	s.list = kept
}

// seedIndicators gives a tenant with devices a few indicators; the caller holds t.mu.
func (t *Tenant) seedIndicators() {
	t.indicators.last, t.indicators.byKey = 990, map[string]*Indicator{}
	if len(t.devices.list) == 0 {
		return
	}
	at := t.now().Truncate(time.Second).AddDate(0, -1, 0)
	for _, i := range []Indicator{
		{IndicatorValue: SeededBadAddress, IndicatorType: "IpAddress", Action: "Block", Title: "Known C2 server", Severity: "High", GenerateAlert: true},
		{IndicatorValue: SeededBadDomain, IndicatorType: "DomainName", Action: "Audit", Title: "Watched download site", Severity: "Medium", GenerateAlert: true},
		{IndicatorValue: SeededGoodFile, IndicatorType: "FileSha1", Action: "Allowed", Title: "Inventory agent", Severity: "Informational"},
	} {
		i.Source, i.SourceType, i.CreatedBy = "alice@contoso.com", "User", "alice@contoso.com"
		i.Description = "A simulated indicator: " + i.Title + "."
		i.CreationTime, i.LastUpdateTime = at, at
		t.keepIndicator(&i)
	}
}

// keepIndicator numbers a new indicator and keeps it; the caller holds t.mu.
func (t *Tenant) keepIndicator(i *Indicator) {
	t.indicators.last++
	t.indicators.ending = t.indicators.ending || i.ExpirationTime != nil
	i.ID = strconv.FormatInt(t.indicators.last, 10)
	i.CreatedBySource = i.Source
	i.RBACGroupNames, i.RBACGroupIDs = append([]string{}, i.RBACGroupNames...), append([]string{}, i.RBACGroupIDs...)
	t.indicators.list = append(t.indicators.list, i)
	t.indicators.byKey[indicatorKey(i.IndicatorType, i.IndicatorValue)] = i
}

// visible reports whether a caller sees an indicator: with no more than
// Ti.ReadWrite an application sees its own only.
func (c *call) visible(i *Indicator) bool {
	return c.caller.delegated || slices.Contains(c.caller.permissions, "Ti.ReadWrite.All") || i.Source == c.caller.name
}

// indicatorSchema is the filterable properties of get-ti-indicators-collection.md.
// createdByDisplayName is not among the resource's properties: it is taken for
// the creator's name.
func indicatorSchema() schema[*Indicator] {
	str, at, list := propertyType{kind: kindString}, propertyType{kind: kindTime}, propertyType{kind: kindStrings}
	return schema[*Indicator]{
		"application":             {str, func(i *Indicator) any { return text(string(i.Application)) }},
		"createdByDisplayName":    {str, func(i *Indicator) any { return text(i.Source) }},
		"title":                   {str, func(i *Indicator) any { return i.Title }},
		"indicatorValue":          {str, func(i *Indicator) any { return i.IndicatorValue }},
		"createdBy":               {str, func(i *Indicator) any { return text(i.CreatedBy) }},
		"rbacGroupNames":          {list, func(i *Indicator) any { return i.RBACGroupNames }},
		"rbacGroupIds":            {list, func(i *Indicator) any { return i.RBACGroupIDs }},
		"creationTimeDateTimeUtc": {at, func(i *Indicator) any { return i.CreationTime }},
		"indicatorType":           {enum(indicatorTypes()...), func(i *Indicator) any { return i.IndicatorType }},
		"action":                  {enum(indicatorActions()...), func(i *Indicator) any { return i.Action }},
		"severity":                {enum(indicatorSeverities()...), func(i *Indicator) any { return i.Severity }},
		"generateAlert":           {propertyType{kind: kindBool}, func(i *Indicator) any { return strconv.FormatBool(i.GenerateAlert) }},
		"expirationTime": {at, func(i *Indicator) any {
			if i.ExpirationTime == nil {
				return nil
			}
			return *i.ExpirationTime
		}},
	}
}

// listIndicators lists the indicators in force (documentation:
// get-ti-indicators-collection.md).
func listIndicators(c *call) response {
	c.t.mu.Lock()
	all := c.t.activeIndicators()
	c.t.mu.Unlock()
	seen := make([]*Indicator, 0, len(all))
	for _, i := range all {
		if c.visible(i) {
			seen = append(seen, i)
		}
	}
	return listing[*Indicator]{
		context: "Indicators", schema: indicatorSchema(), wire: func(i *Indicator, _ bool) any { return i },
	}.serve(c, seen)
}
