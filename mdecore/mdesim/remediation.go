package mdesim

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

func remediationRoutes() []route {
	p := anyOf("RemediationTasks.Read.All", "RemediationTask.Read")
	return []route{
		on(http.MethodGet, "list_remediation_tasks", "/api/remediationTasks", "get-remediation-all-activities.md", p, listRemediationTasks),
		on(http.MethodGet, "get_remediation_task", "/api/remediationTasks/{task_id}", "get-remediation-one-activity.md", p, getRemediationTask),
		on(http.MethodGet, "list_remediation_task_machines", "/api/remediationTasks/{task_id}/machineReferences",
			"get-remediation-exposed-devices-activities.md", p, remediationTaskMachines),
	}
}

// remediationTask is what is kept of a task; the rest is counted when it is asked
// for, so that it agrees with the fleet.
type remediationTask struct {
	id       string
	advice   advice
	created  time.Time
	due      time.Time
	priority string
	notes    string
	closed   bool // somebody declared it done
}

// remediationBody is a remediation activity (documentation:
// get-remediation-methods-properties.md).
type remediationBody struct {
	Context                           string    `json:"@odata.context,omitempty"`
	ID                                string    `json:"id"`
	Title                             string    `json:"title"`
	CreatedOn                         time.Time `json:"createdOn"`
	RequesterID                       string    `json:"requesterId"`
	RequesterEmail                    string    `json:"requesterEmail"`
	Status                            string    `json:"status"`
	StatusLastModifiedOn              time.Time `json:"statusLastModifiedOn"`
	Description                       string    `json:"description"`
	RelatedComponent                  string    `json:"relatedComponent"`
	TargetDevices                     int       `json:"targetDevices"`
	RBACGroupNames                    []string  `json:"rbacGroupNames"`
	FixedDevices                      int       `json:"fixedDevices"`
	RequesterNotes                    string    `json:"requesterNotes"`
	DueOn                             time.Time `json:"dueOn"`
	Category                          string    `json:"category"`
	ProductivityImpactRemediationType Nullable  `json:"productivityImpactRemediationType"`
	Priority                          string    `json:"priority"`
	CompletionMethod                  Nullable  `json:"completionMethod"`
	CompleterID                       Nullable  `json:"completerId"`
	CompleterEmail                    Nullable  `json:"completerEmail"`
	SCID                              Nullable  `json:"scid"`
	Type                              string    `json:"type"`
	ProductID                         Nullable  `json:"productId"`
	VendorID                          Nullable  `json:"vendorId"`
	NameID                            Nullable  `json:"nameId"`
	RecommendedVersion                Nullable  `json:"recommendedVersion"`
	RecommendedVendor                 Nullable  `json:"recommendedVendor"`
	RecommendedProgram                Nullable  `json:"recommendedProgram"`
}

// Who asks for remediation in a tenant that nobody else works in.
const (
	requesterEmail = "alice@contoso.com"
	completerEmail = "bob@contoso.com"
)

// personID is the object id of a person.
func personID(email string) string { return guidOf(hash64("person/"+email), hash64("object/"+email)) }

// body describes a task as it stands. All devices that the advice is for are its
// targets; those that are not exposed any more are fixed.
func (task remediationTask) body(s *survey) *remediationBody {
	count := s.tally(task.advice)
	out := &remediationBody{
		ID: task.id, CreatedOn: task.created, RequesterID: personID(requesterEmail), RequesterEmail: requesterEmail, Status: "Active",
		StatusLastModifiedOn: task.created, TargetDevices: count.total, FixedDevices: count.total - count.exposed, RequesterNotes: task.notes,
		RBACGroupNames: s.groupsOf(task.advice), DueOn: task.due, Priority: task.priority, ProductivityImpactRemediationType: "AllExposedAssets",
	}
	switch {
	case task.closed:
		out.Status, out.CompletionMethod = "Completed", "Manual"
		out.CompleterID, out.CompleterEmail = Nullable(personID(completerEmail)), completerEmail
		out.StatusLastModifiedOn = task.created.Add(36 * time.Hour)
	case count.exposed == 0:
		out.Status, out.CompletionMethod = "Completed", "Automatic"
	}
	out.about(task.advice)
	return out
}

// about fills in what the task is for.
func (b *remediationBody) about(a advice) {
	if c := a.control; c != nil {
		b.Title, b.Description, b.Category, b.Type = c.title, c.title+" on all devices that lack it.", "Security configuration", "ConfigurationChange"
		b.RelatedComponent, b.SCID = orDefault(c.subcategory, c.category), Nullable(c.scid)
		return
	}
	p := a.product
	b.Title, b.Category, b.Type, b.RelatedComponent = "Update "+p.title, "Software", "Update", p.title
	b.Description = "Update " + p.title + " to a later version, because installed versions have known vulnerabilities."
	b.ProductID, b.VendorID, b.NameID, b.RecommendedVersion = Nullable(p.id()), Nullable(p.vendor), Nullable(p.name), Nullable(p.target())
}

// groupsOf are the groups of the devices that an advice is for.
func (s *survey) groupsOf(a advice) []string {
	out := []string{}
	for _, d := range s.devices {
		name := orDefault(d.RBACGroupName, "UnassignedGroup")
		if !slices.Contains(out, name) && a.exposes(d) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// remediationTasks are the tenant's tasks, newest first, made at the first use:
// one for each of some recommendations.
func (t *Tenant) remediationTasks(s *survey) []remediationTask {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.exposure.tasks != nil {
		return t.exposure.tasks
	}
	now := t.now().Truncate(time.Second)
	out := []remediationTask{}
	for i, a := range s.advices() {
		if i%3 != 0 {
			continue
		}
		key := guidOf(hash64("task/"+a.id()), t.Seed)
		created := now.AddDate(0, 0, -2*len(out)-1)
		out = append(out, remediationTask{
			id: key, advice: a, created: created, due: created.AddDate(0, 0, 30), priority: [...]string{"High", "Medium", "Low"}[len(out)%3],
			notes: "Please finish before the due date.", closed: len(out)%4 == 3,
		})
	}
	t.exposure.tasks = out
	return out
}

func remediationSchema() schema[*remediationBody] {
	created := property[*remediationBody]{propertyType{kind: kindTime}, func(b *remediationBody) any { return b.CreatedOn }}
	return schema[*remediationBody]{
		"createdOn": created,
		"createdon": created, // as the page spells it
		"status":    {enum("Active", "Completed"), func(b *remediationBody) any { return b.Status }},
	}
}

func listRemediationTasks(c *call) response {
	s := c.t.survey()
	var items []*remediationBody
	for _, task := range c.t.remediationTasks(s) {
		items = append(items, task.body(s))
	}
	return listing[*remediationBody]{
		context: "RemediationTasks", schema: remediationSchema(), wire: func(b *remediationBody, _ bool) any { return b },
	}.serve(c, items)
}

// task finds the path's task.
func (c *call) task(s *survey) (remediationTask, bool) {
	tasks := c.t.remediationTasks(s)
	i := slices.IndexFunc(tasks, func(task remediationTask) bool { return strings.EqualFold(task.id, c.id) })
	if i < 0 {
		return remediationTask{}, false
	}
	return tasks[i], true
}

func (c *call) noTask() response {
	return c.t.problem(http.StatusNotFound, "ResourceNotFound", "Remediation task "+c.id+" was not found")
}

func getRemediationTask(c *call) response {
	s := c.t.survey()
	task, ok := c.task(s)
	if !ok {
		return c.noTask()
	}
	out := task.body(s)
	out.Context = c.metadata("RemediationTasks/$entity")
	return c.t.ok(http.StatusOK, out)
}

// remediationTaskMachines are the devices that are still exposed.
func remediationTaskMachines(c *call) response {
	s := c.t.survey()
	task, ok := c.task(s)
	if !ok {
		return c.noTask()
	}
	return all(c, "MachineReferences", s.exposedTo(task.advice))
}
