package nexus_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/nexus"
)

func TestAClusterIsReadWhole(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, clusterBody(`
		"runtimeProtectionConfiguration":{"enforcementLevel":"ondemand","definitionUpdateMode":"None"},
		"managedResourceGroupConfiguration":{"name":"site-managed","location":"eastus"},
		"clusterConnectionStatus":"Connected","clusterManagerConnectionStatus":"Unreachable","provisioningState":"Succeeded",
		"detailedStatus":"Running","detailedStatusMessage":"all\nwell\u001b[31m \u202egnihton","clusterVersion":"4.1.0",
		"actionStates":[{"actionType":"Microsoft.NetworkCloud/clusters/ScanRuntime/action","correlationId":"`+correlation+`","startTime":"2026-11-20T09:00:00.1234567Z",
			"endTime":"","status":"InProgress","message":"m","stepStates":[{"stepName":"DistributeRequest","startTime":null,"status":"NotStarted","message":"s"}]}],
		"commandOutputSettings":{"containerUrl":"https://default.blob.core.windows.net/c1?restype=container","overrides":[
			{"commandOutputType":"StorageRunReadCommands","containerUrl":"https://other.blob.core.windows.net/c2"},
			{"commandOutputType":"baremetalmachinerundataextractsrestricted","containerUrl":"https://restricted.blob.core.windows.net/c3/?sv=1&sig=SECRET"}]}`)))
	got, err := s.client(t).GetCluster(t.Context(), parseID(t, strings.ToLower(clusterPath)))
	require.NoError(t, err)
	at := time.Date(2026, 11, 20, 9, 0, 0, 123456700, time.UTC)
	require.Equal(t, &nexus.Cluster{
		ID: parseID(t, clusterPath), Location: "eastus", ETag: `"7"`, Level: nexus.OnDemand, DefinitionUpdateMode: "None", ManagedResourceGroup: "site-managed",
		ConnectionStatus: "Connected", ManagerConnectionStatus: "Unreachable", ProvisioningState: "Succeeded", DetailedStatus: "Running",
		DetailedStatusMessage: "all well[31m gnihton", Version: "4.1.0", APIVersion: "2026-07-01",
		ContainerURL: "https://restricted.blob.core.windows.net/c3",
		Actions: []nexus.ActionState{{
			Type: "Microsoft.NetworkCloud/clusters/ScanRuntime/action", CorrelationID: correlation, Start: at, Status: "InProgress", Message: "m",
			Steps: []nexus.StepState{{Name: "DistributeRequest", Status: "NotStarted", Message: "s"}},
		}},
	}, got)
	scan, ok := got.Scan()
	require.True(t, ok)
	require.Equal(t, correlation, scan.CorrelationID)
}

func TestWhatAClusterDoesNotSay(t *testing.T) {
	t.Parallel()
	for properties, want := range map[string]nexus.Cluster{
		``: {Level: nexus.Disabled},
		`"actionStates":null,"runtimeProtectionConfiguration":null,"commandOutputSettings":null,"managedResourceGroupConfiguration":null`: {Level: nexus.Disabled},
		`"actionStates":[]`: {Level: nexus.Disabled, Actions: []nexus.ActionState{}},
		`"runtimeProtectionConfiguration":{"enforcementLevel":"Paranoid"}`:                                                                                             {Level: "Paranoid"},
		`"commandOutputSettings":{"containerUrl":"https://a.blob.core.windows.net/c"}`:                                                                                 {Level: nexus.Disabled, ContainerURL: "https://a.blob.core.windows.net/c"},
		`"commandOutputSettings":{"containerUrl":"https://a.blob.core.windows.net/c","overrides":[{"commandOutputType":"BareMetalMachineRunDataExtractsRestricted"}]}`: {Level: nexus.Disabled, ContainerURL: "https://a.blob.core.windows.net/c"},
	} {
		s := newService(t, answer(200, strings.Replace(clusterBody(properties), `"etag":"\"7\"",`, "", 1), "ETag", `W/"8"`))
		got, err := s.client(t).GetCluster(t.Context(), parseID(t, clusterPath))
		require.NoError(t, err, properties)
		want.ID, want.Location, want.APIVersion, want.ETag = parseID(t, clusterPath), "eastus", "2026-07-01", `W/"8"`
		require.Equal(t, &want, got, properties)
	}
}

// What is no answer about this cluster must not pass for one that says that it is disabled.
func TestAnAnswerThatIsNotAboutTheClusterIsRefused(t *testing.T) {
	t.Parallel()
	for body, says := range map[string]string{
		"":                             "it is empty",
		"null":                         "it is empty",
		"<html>":                       "isn't the service's JSON",
		`[]`:                           "isn't the service's JSON",
		`{"value":[]}`:                 "not the resource id",
		`{"id":"` + clusterPath + `"}`: "has no properties",
		`{"id":"` + clusterPath + `2","properties":{}}`: "it is about " + clusterPath + "2",
		`{"id":"` + nodePath + `","properties":{}}`:     "is not a cluster",
	} {
		s := newService(t, answer(200, body))
		_, err := s.client(t).GetCluster(t.Context(), parseID(t, clusterPath))
		require.ErrorContains(t, err, says, body)
		require.False(t, nexus.IsNotFound(err))
	}
}

func TestReadsRefuseBadInputBeforeAnythingIsSent(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, `{"value":[]}`))
	c := s.client(t)
	nodes := func(change func(*nexus.Cluster)) error {
		of := siteCluster(t)
		change(of)
		_, err := collect(c.ListNodes(t.Context(), of))
		return err
	}
	clusters := func(subscription, group string) error {
		_, err := collect(c.ListClusters(t.Context(), subscription, group))
		return err
	}
	_, node := c.GetCluster(t.Context(), parseID(t, nodePath))
	_, nothing := collect(c.ListNodes(t.Context(), nil))
	_, address := c.OperationStatus(t.Context(), "https://evil.example"+operation+"&s=SIGNATURE")
	_, path := c.OperationStatus(t.Context(), clusterPath)
	for says, err := range map[string]error{
		"\"x\" is not the id (a GUID) of an Azure subscription": clusters("x", ""),
		"\"a/b\" is not the name of a resource group":           clusters(subscription, "a/b"),
		"\"..\" is not the name of a resource group":            clusters(subscription, ".."),
		"is in bareMetalMachines":                               node,
		"none is given":                                         nothing,
		"names no managed resource group":                       nodes(func(c *nexus.Cluster) { c.ManagedResourceGroup = "" }),
		"\"a?b\" is not the name of a resource group":           nodes(func(c *nexus.Cluster) { c.ManagedResourceGroup = "a?b" }),
		"not the resource id":                                   nodes(func(c *nexus.Cluster) { c.ID = nexus.ID{} }),
		"it is not a path and query":                            address,
		"not one of an operation":                               path,
	} {
		require.ErrorContains(t, err, says)
		require.NotContains(t, err.Error(), "SIGNATURE")
		require.True(t, nexus.NotSent(err), says)
	}
	require.Empty(t, s.received())
}

func TestListsFollowTheirLinks(t *testing.T) {
	t.Parallel()
	var s *service
	s = newService(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("$skipToken") {
		case "":
			answer(200, `{"value":[`+clusterBody("")+`],"nextLink":"`+s.URL+r.URL.Path+`?api-version=2026-07-01&$skipToken=2"}`)(w, r)
		case "2":
			answer(200, `{"value":[],"nextLink":"`+r.URL.Path+`?api-version=2026-07-01&$skipToken=3"}`)(w, r) // empty, and without a host
		default:
			answer(200, `{"value":[`+clusterBody("")+`],"nextLink":""}`)(w, r)
		}
	})
	got, err := collect(s.client(t).ListClusters(t.Context(), subscription, ""))
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Len(t, s.received(), 3)
	require.Equal(t, "/subscriptions/"+subscription+"/providers/Microsoft.NetworkCloud/clusters", s.received()[0].path)
	_, err = collect(s.client(t).ListClusters(t.Context(), subscription, "rg"))
	require.NoError(t, err)
	require.Equal(t, "/subscriptions/"+subscription+"/resourceGroups/rg/providers/Microsoft.NetworkCloud/clusters", s.received()[3].path)
	for _, err := range s.client(t).ListClusters(t.Context(), subscription, "") {
		require.NoError(t, err)
		break
	}
	require.Len(t, s.received(), 7, "who has seen enough asks for no more pages")
}

func TestAListThatIsIncompleteSaysSo(t *testing.T) {
	t.Parallel()
	var pages atomic.Int32
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		says   string
		calls  int
	}{
		"foreign host":   {answer(200, `{"value":[],"nextLink":"https://evil.example/x?sig=SECRET"}`), "leads to evil.example instead of", 1},
		"foreign scheme": {answer(200, `{"value":[],"nextLink":"https://127.0.0.1/x?sig=SECRET"}`), "leads to 127.0.0.1 instead of", 1},
		"no address":     {answer(200, `{"value":[],"nextLink":"mailto:SECRET"}`), "not an address", 1},
		"loop":           {answer(200, `{"value":[],"nextLink":"/x?sig=SECRET"}`), "same next page twice", 2},
		"no list":        {answer(200, `{"error":null}`), "not a list", 1},
		"null":           {answer(200, `{"value":[null]}`), "item 1 of page 1: it is null", 1},
		"a node":         {answer(200, `{"value":[`+nodeBody("n1", "")+`]}`), "is not a cluster", 1},
		"elsewhere":      {answer(200, `{"value":[`+strings.Replace(clusterBody(""), subscription, correlation, 1)+`]}`), "somewhere else than was asked for", 1},
		"a page is gone": {func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/x" {
				armError(404, "NotFound", "x")(w, r)
				return
			}
			answer(200, `{"value":[],"nextLink":"/x"}`)(w, r)
		}, "page 2 was not found", 2},
		"endless": {func(w http.ResponseWriter, r *http.Request) {
			answer(200, fmt.Sprintf(`{"value":[],"nextLink":"/x?page=%d"}`, pages.Add(1)))(w, r)
		}, "more than 1000 pages", 1000},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, test.answer)
			_, err := collect(s.client(t).ListClusters(t.Context(), subscription, ""))
			require.ErrorContains(t, err, test.says)
			require.NotContains(t, err.Error(), "SECRET")
			require.False(t, nexus.IsNotFound(err))
			require.Len(t, s.received(), test.calls)
		})
	}
}

func TestTheNewestVersionIsTriedAndWhatIsRefusedRemembered(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"NoRegisteredProviderFound", "InvalidResourceType"} {
		for _, status := range []int{400, 404} {
			s := newService(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Query().Get("api-version") != "2025-09-01":
					armError(status, code, "The supported api-versions are '2025-02-01, 2025-09-01'.")(w, r)
				case strings.HasSuffix(r.URL.Path, "/clusters/site"):
					answer(200, clusterBody(`"managedResourceGroupConfiguration":{"name":"site-managed"}`))(w, r)
				default:
					answer(200, `{"value":[]}`)(w, r)
				}
			})
			c := s.client(t)
			read, err := c.GetCluster(t.Context(), parseID(t, clusterPath))
			require.NoError(t, err)
			require.Equal(t, "2025-09-01", read.APIVersion)
			_, err = collect(c.ListNodes(t.Context(), read))
			require.NoError(t, err)
			_, err = collect(c.ListClusters(t.Context(), strings.ToUpper(subscription), ""))
			require.NoError(t, err)
			require.Equal(t, []string{"api-version=2026-07-01", "api-version=2025-09-01", "api-version=2025-09-01", "api-version=2025-09-01"}, queries(s))
			_, err = collect(c.ListClusters(t.Context(), correlation, ""))
			require.NoError(t, err)
			require.Equal(t, "api-version=2026-07-01", queries(s)[4], "another subscription may take the newest")
		}
	}
}

// Another version would go round a finer right, or hide what is wrong.
func TestNoOtherRefusalIsAnsweredWithAnotherVersion(t *testing.T) {
	t.Parallel()
	for _, fault := range []http.HandlerFunc{
		armError(403, "AuthorizationFailed", "no"), armError(403, "NoRegisteredProviderFound", "no"), armError(400, "BadRequest", "no"),
		armError(404, "ResourceNotFound", "no"), armError(409, "MissingSubscriptionRegistration", "no"),
	} {
		for name, read := range reads(t) {
			s := newService(t, fault)
			require.Error(t, read(t.Context(), s.client(t)), name)
			require.Len(t, s.received(), 1, name)
		}
	}
	s := newService(t, armError(400, "NoRegisteredProviderFound", "no version at all"))
	c := s.client(t)
	for range 2 {
		_, err := c.GetCluster(t.Context(), parseID(t, clusterPath))
		require.ErrorContains(t, err, "does not take the api-version 2025-09-01")
	}
	require.Len(t, s.received(), 4, "what was answered with neither version is not remembered")
	require.Equal(t, []string{"api-version=2026-07-01", "api-version=2025-09-01"}, queries(s)[2:])
	for _, w := range writes(t) {
		before := len(s.received())
		_, err := w.do(t.Context(), c)
		require.True(t, nexus.Refused(err))
		require.Len(t, s.received(), before+1, "a write has one version")
	}
}

func queries(s *service) (out []string) {
	for _, r := range s.received() {
		out = append(out, r.query)
	}
	return out
}
