package nexus_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/nexus"
)

// contract is operations.json: what is published of the calls.
type contract struct {
	Endpoint, Scope map[string]string
	Enums           map[string]json.RawMessage
	Levels          map[string]json.RawMessage
	Roles           struct{ LeastPrivilege map[string][]string }
	Operations      []documented
}

type documented struct {
	ID, Method, Path, Permission string
	Query, Headers               map[string]string
	Request                      any
}

func readContract(t *testing.T, into any, path ...string) {
	t.Helper()
	dir := os.Getenv("MDE_NEXUS_CONTRACT_DIR")
	if dir == "" {
		t.Skip("set MDE_NEXUS_CONTRACT_DIR to the folder with the published operations.json and samples/ to compare this client with them")
	}
	data, err := os.ReadFile(filepath.Join(append([]string{dir}, path...)...))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, into))
}

// contractSample is a sample file; those of messages have some of the fields.
type contractSample struct {
	Status            int
	Method, Path      string
	Headers           map[string]string
	Body              json.RawMessage
	Request, Response *contractSample
}

func readSample(t *testing.T, name string) contractSample {
	t.Helper()
	var s contractSample
	readContract(t, &s, "samples", name)
	return s
}

// serve answers with a sample.
func (s contractSample) serve(t *testing.T) *service {
	t.Helper()
	var header []string
	for name, value := range s.Headers {
		header = append(header, name, value)
	}
	return newService(t, answer(s.Status, string(s.Body), header...))
}

// calls maps the documented operations to the client's calls. Those that are left out are not used, on purpose.
func calls(t *testing.T) map[string]func(c *nexus.Client) error {
	all := map[string]func(c *nexus.Client) error{
		"clusters.listByResourceGroup": func(c *nexus.Client) error {
			_, err := collect(c.ListClusters(t.Context(), subscription, "rg"))
			return err
		},
	}
	everything := every(t)
	for id, name := range map[string]string{
		"clusters.listBySubscription": "ListClusters", "clusters.get": "GetCluster", "clusters.update.runtimeProtection": "SetEnforcementLevel",
		"clusters.scanRuntime": "ScanRuntime", "bareMetalMachines.listByResourceGroup": "ListNodes",
		"bareMetalMachines.runDataExtractsRestricted": "StartReport", "operationStatuses.get": "OperationStatus",
	} {
		all[id] = func(c *nexus.Client) error { return everything[name](t.Context(), c) }
	}
	return all
}

func TestRequestsAreThoseOfTheContract(t *testing.T) {
	t.Parallel()
	var published contract
	readContract(t, &published, "operations.json")
	used := calls(t)
	for _, o := range published.Operations {
		do, ok := used[o.ID]
		if !ok {
			require.Contains(t, []string{
				"bareMetalMachines.get", "bareMetalMachines.runDataExtracts", "bareMetalMachines.runReadCommands", "bareMetalMachines.cordon", "blob.get",
			}, o.ID, "a new operation: use it or say here that it isn't")
			continue
		}
		delete(used, o.ID)
		s := newService(t, answer(403, ""))
		require.ErrorContains(t, do(s.client(t)), o.Permission, o.ID)
		require.Len(t, s.received(), 1)
		sent := s.received()[0]
		require.Equal(t, o.Method, sent.method, o.ID)
		require.Regexp(t, "^"+regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(regexp.QuoteMeta(o.Path), "[^/]+")+"$", sent.path, o.ID)
		query, err := url.ParseQuery(sent.query)
		require.NoError(t, err)
		for name := range query {
			require.Contains(t, o.Query, name, o.ID)
		}
		require.NotEmpty(t, query.Get("api-version"), o.ID)
		if sent.header.Get("If-Match") != "" {
			require.Contains(t, o.Headers, "If-Match", o.ID)
		}
		if sent.body == "" {
			require.Nil(t, o.Request, o.ID)
			continue
		}
		var body any
		require.NoError(t, json.Unmarshal([]byte(sent.body), &body))
		requireKnown(t, o.Request, body, o.ID)
	}
	require.Empty(t, used, "these are not documented")
}

// requireKnown requires that a body has no field that isn't documented.
func requireKnown(t *testing.T, known, body any, at string) {
	t.Helper()
	switch body := body.(type) {
	case map[string]any:
		fields, ok := known.(map[string]any)
		require.True(t, ok, at)
		for name, value := range body {
			require.Contains(t, fields, name, at)
			requireKnown(t, fields[name], value, at+"."+name)
		}
	case []any:
		items, ok := known.([]any)
		require.True(t, ok && len(items) > 0, at)
		for _, value := range body {
			requireKnown(t, items[0], value, at+"[]")
		}
	}
}

func TestBodiesAreThoseOfTheSamples(t *testing.T) {
	t.Parallel()
	patch, scan, report := readSample(t, "clusters_patch_runtimeprotection.request.json"), readSample(t, "clusters_scanruntime.json"), readSample(t, "rundataextractsrestricted_mde.request.json")
	s := newService(t, answer(403, ""))
	c := s.client(t)
	_, err := c.SetEnforcementLevel(t.Context(), siteCluster(t), nexus.OnDemand)
	require.Error(t, err)
	for _, name := range []string{"ScanRuntime", "StartReport"} {
		_, err = writes(t)[name].do(t.Context(), c)
		require.Error(t, err)
	}
	sent := s.received()
	require.JSONEq(t, string(patch.Body), sent[0].body)
	require.JSONEq(t, string(scan.Request.Body), sent[1].body)
	require.JSONEq(t, string(report.Body), sent[2].body)
	require.True(t, strings.HasSuffix(sent[2].path, report.Path[strings.LastIndex(report.Path, "/"):]))

	public, err := nexus.New(&tokens{}, nexus.Options{})
	require.NoError(t, err)
	for _, name := range []string{"clusters_scanruntime.json", "baremetalmachines_rundataextracts.json"} {
		location := readSample(t, name).Response.Headers["Location"]
		at, err := public.OperationAt(location, parseID(t, clusterPath))
		require.NoError(t, err)
		require.Equal(t, location, "https://management.azure.com"+at)
	}
}

func TestTheClustersOfTheContract(t *testing.T) {
	t.Parallel()
	sample := readSample(t, "clusters_get.response.json")
	var named struct{ ID string }
	require.NoError(t, json.Unmarshal(sample.Body, &named))
	id := parseID(t, named.ID)
	got, err := sample.serve(t).client(t).GetCluster(t.Context(), id)
	require.NoError(t, err)
	scan, ok := got.Scan()
	require.True(t, ok)
	require.Equal(t, "Completed", scan.Status)
	require.Equal(t, "DistributeRequest", scan.Steps[0].Name)
	require.Equal(t, 30*time.Minute, scan.Steps[0].End.Sub(scan.Steps[0].Start))
	got.Actions = nil
	require.Equal(t, &nexus.Cluster{
		ID: id, Location: "location", Level: nexus.OnDemand, DefinitionUpdateMode: "None", ManagedResourceGroup: "my-managed-rg",
		ConnectionStatus: "Connected", ManagerConnectionStatus: "Connected", ProvisioningState: "Succeeded", DetailedStatus: "Running",
		DetailedStatusMessage: "Cluster is running and healthy", Version: "1.0.0", ContainerURL: "https://myaccount.blob.core.windows.net/mycontainer", APIVersion: "2026-07-01",
	}, got)

	var failed struct{ ActionStates json.RawMessage }
	readContract(t, &failed, "samples", "cluster_actionstates_failed.json")
	got, err = newService(t, answer(200, clusterBody(`"actionStates":`+string(failed.ActionStates)))).client(t).GetCluster(t.Context(), parseID(t, clusterPath))
	require.NoError(t, err)
	scan, ok = got.Scan()
	require.True(t, ok)
	require.Equal(t, "Failed", scan.Status)
	require.NotEmpty(t, scan.Message)
	require.Equal(t, "Failed", scan.Steps[0].Status)
}

func TestTheNodesOfTheContract(t *testing.T) {
	t.Parallel()
	sample := readSample(t, "baremetalmachines_list.response.json")
	of := siteCluster(t)
	of.ID = parseID(t, "/subscriptions/"+subscription+"/resourceGroups/resourceGroupName/providers/Microsoft.NetworkCloud/clusters/clusterName")
	of.ManagedResourceGroup = "resourceGroupName"
	got, err := collect(sample.serve(t).client(t).ListNodes(t.Context(), of))
	require.ErrorContains(t, err, "leads to fully.qualified.hyperlink instead of", "the sample's next link is none of Resource Manager's")
	require.Len(t, got, 1)
	require.Equal(t, "bareMetalMachineName", got[0].ID.Name)
	require.Equal(t, "r01c001", got[0].MachineName)
	require.Equal(t, "node01", got[0].KubernetesName)
	require.Equal(t, "rackName", got[0].Rack)
	require.Equal(t, []string{"platform.afo-nc.microsoft.com/management-plane=true"}, got[0].Roles)
	require.Empty(t, got[0].Unfit())
	require.Equal(t, nexus.OnDemand, got[0].Protection.Level)
	require.Equal(t, []string{"Issue1", "Issue2"}, got[0].Protection.Issues)
	require.Equal(t, []string{"Unhealthy", "Licensed", "None", "1.2.3"},
		[]string{got[0].Protection.Health, got[0].Protection.Licence, got[0].Protection.DefinitionUpdateMode, got[0].Protection.DefinitionsVersion})
	for _, at := range []time.Time{got[0].Protection.ScanStarted, got[0].Protection.ScanCompleted, got[0].Protection.ScanScheduled, got[0].Protection.DefinitionsUpdated} {
		require.Equal(t, 2023, at.Year())
	}
}

func TestTheOperationsOfTheContract(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]nexus.OperationStatus{
		"failed_mde_disabled":   {State: nexus.Failed, Status: "Failed", Code: "COMPOSED_RuntimeProtectionDisabled"},
		"inprogress":            {State: nexus.Running, Status: "InProgress", RetryAfter: 15 * time.Second},
		"succeeded_sas":         {State: nexus.Succeeded, Status: "Succeeded", ExitCode: "0", HasResult: true},
		"succeeded_userstorage": {State: nexus.Succeeded, Status: "Succeeded", ExitCode: "0", HasResult: true},
		"timeout252":            {State: nexus.Succeeded, Status: "Succeeded", ExitCode: nexus.TimeLimitExit, HasResult: true},
	} {
		sample := readSample(t, "operationstatus_"+name+".json")
		var raw struct {
			ID, ResourceID string
			Properties     *struct{ ResultURL string }
		}
		require.NoError(t, json.Unmarshal(sample.Body, &raw))
		s := sample.serve(t)
		got, err := s.client(t).OperationStatus(t.Context(), raw.ID)
		require.NoError(t, err, name)
		require.Equal(t, raw.ID, s.received()[0].path)
		require.Equal(t, raw.ResourceID, got.ResourceID)
		require.False(t, got.Start.IsZero())
		require.Equal(t, got.State == nexus.Running, got.End.IsZero())
		require.Equal(t, want.HasResult, strings.HasPrefix(got.OutputHead, "====Action Command Output====\nExecuting"), name)
		got.ResourceID, got.Start, got.End, got.Message, got.OutputHead = "", time.Time{}, time.Time{}, "", ""
		require.Equal(t, &want, got, name)
		if want.HasResult {
			container := ""
			if name == "succeeded_userstorage" {
				container = "https://contosonexus.blob.core.windows.net/command-output-blob"
				require.Error(t, nexus.CheckResult(nexus.Public(), raw.Properties.ResultURL, ""), "no token goes where the cluster names no container")
			}
			require.NoError(t, nexus.CheckResult(nexus.Public(), raw.Properties.ResultURL, container), name)
		}
	}
}

func TestTheErrorsOfTheContract(t *testing.T) {
	t.Parallel()
	var errs struct{ Cases []contractSample }
	readContract(t, &errs, "samples", "arm_errors.json")
	require.NotEmpty(t, errs.Cases)
	for _, sample := range errs.Cases {
		s := sample.serve(t)
		_, err := writes(t)["ScanRuntime"].do(t.Context(), s.client(t, func(o *nexus.Options) { o.MaxWait = time.Second }))
		var failed *nexus.Error
		require.ErrorAs(t, err, &failed)
		require.Equal(t, sample.Status, failed.Status)
		require.ErrorContains(t, err, fmt.Sprintf("Azure answered %d %s: ", sample.Status, failed.Code))
		require.NotEmpty(t, failed.Code)
		require.Equal(t, sample.Status == http.StatusUnauthorized || sample.Status == http.StatusTooManyRequests, nexus.NotSent(err))
		require.NotEqual(t, nexus.NotSent(err), nexus.Refused(err))
		require.Equal(t, sample.Status == http.StatusNotFound, nexus.IsNotFound(err))
		require.Equal(t, sample.Status == http.StatusPreconditionFailed, nexus.Changed(err))
		switch sample.Status {
		case http.StatusForbidden:
			require.Equal(t, "Microsoft.NetworkCloud/clusters/scanRuntime/action", failed.Action)
			require.True(t, strings.HasSuffix(failed.Scope, "/clusters/contoso-cluster"), failed.Scope)
		case http.StatusTooManyRequests:
			require.Equal(t, 17*time.Second, nexus.RetryAfter(err))
		}
	}
}

func TestTheTablesOfTheContract(t *testing.T) {
	t.Parallel()
	var published contract
	readContract(t, &published, "operations.json")
	for name, cloud := range map[string]nexus.Cloud{"AzurePublic": nexus.Public(), "AzureGovernment": nexus.Government(), "AzureChina": nexus.China()} {
		require.Equal(t, published.Endpoint[name], cloud.Endpoint)
		require.Equal(t, published.Scope[name], cloud.Scope)
	}
	var levels []nexus.Level
	require.NoError(t, json.Unmarshal(published.Enums["enforcementLevel"], &levels))
	require.ElementsMatch(t, levels, append(nexus.SettableLevels(), nexus.Audit))
	for _, level := range levels {
		var can struct{ Service, RealTime, Scan, Remediates bool }
		require.NoError(t, json.Unmarshal(published.Levels[string(level)], &can))
		got, known := level.Capabilities()
		require.True(t, known)
		require.Equal(t, []bool{can.Service, can.RealTime, can.Scan, can.Remediates},
			[]bool{slices.Contains(got, nexus.CapService), slices.Contains(got, nexus.CapRealTime), slices.Contains(got, nexus.CapScan), slices.Contains(got, nexus.CapRemedy)}, level)
	}
	for level, permissions := range published.Roles.LeastPrivilege {
		for _, permission := range permissions {
			if strings.Contains(permission, "old api-versions") {
				continue // the unrestricted extract is never used
			}
			s := newService(t, armError(403, "AuthorizationFailed", "does not have authorization to perform action '"+permission+"' over scope '/x'"))
			_, err := writes(t)["ScanRuntime"].do(t.Context(), s.client(t))
			require.ErrorContains(t, err, fmt.Sprintf("at its level %q", level), permission)
		}
	}
}

// A new sample has to be read by some test.
func TestEverySampleOfTheContractIsRead(t *testing.T) {
	t.Parallel()
	readContract(t, &contract{}, "operations.json")
	files, err := filepath.Glob(filepath.Join(os.Getenv("MDE_NEXUS_CONTRACT_DIR"), "samples", "*.json"))
	require.NoError(t, err)
	ours, err := os.Open("contract_test.go")
	require.NoError(t, err)
	defer ours.Close()
	text, err := io.ReadAll(ours)
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		name := filepath.Base(file)
		if strings.HasPrefix(name, "mde-agent-information.") || name == "cluster-cve-report.json" {
			continue // reports are read in nexus/report
		}
		require.Contains(t, string(text), strings.TrimSuffix(strings.TrimPrefix(name, "operationstatus_"), ".json"))
	}
}
