package nexus_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/simulate"
	"github.com/mde-ops/mde-ops/nexus"
	"github.com/mde-ops/mde-ops/nexus/nexussim"
)

// simulatedApp signs in as an application to the simulated Azure, which gives each scope's resource as audience.
type simulatedApp string

func (app simulatedApp) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	until := time.Now().Add(time.Hour)
	return azcore.AccessToken{Token: nexussim.Token(string(app), strings.TrimSuffix(o.Scopes[0], "/.default"), until), ExpiresOn: until}, nil
}

// simulated starts Azure and a client of it.
func simulated(t testing.TB, azure *nexussim.Azure, adjust ...func(*nexus.Options)) *nexus.Client {
	t.Helper()
	if azure.OperationTime == 0 {
		azure.OperationTime, azure.ScanTime = -1, -1
	}
	if azure.Clusters == nil {
		azure.Clusters = nexussim.DefaultClusters()
		azure.Clusters[1].OwnStorage = false // edge-lab gives results by signature
	}
	server, err := azure.Start()
	require.NoError(t, err)
	t.Cleanup(func() { _ = server.Close() })
	ca, err := server.CAFile(t.TempDir())
	require.NoError(t, err)
	o := nexus.Options{Cloud: nexus.Custom(server.URL), CAFile: ca, RetryDelay: time.Millisecond, MaxWait: 5 * time.Millisecond}
	for _, f := range adjust {
		f(&o)
	}
	c, err := nexus.New(simulatedApp("app-1"), o)
	require.NoError(t, err)
	return c
}

// named is a cluster of the subscription by its name.
func named(t testing.TB, c *nexus.Client, name string) *nexus.Cluster {
	t.Helper()
	all, err := collect(c.ListClusters(t.Context(), nexussim.DefaultSubscription, ""))
	require.NoError(t, err)
	for _, one := range all {
		if one.ID.Name == name {
			return one
		}
	}
	require.Fail(t, "no cluster "+name)
	return nil
}

func nodeNamed(t testing.TB, c *nexus.Client, of *nexus.Cluster, name string) *nexus.Node {
	t.Helper()
	all, err := collect(c.ListNodes(t.Context(), of))
	require.NoError(t, err)
	for _, one := range all {
		if one.ID.Name == name {
			return one
		}
	}
	require.Fail(t, "no node "+name)
	return nil
}

// reportOf has a node write its report and returns the operation.
func reportOf(t testing.TB, c *nexus.Client, of *nexus.Cluster, name string) string {
	t.Helper()
	accepted, err := c.StartReport(t.Context(), nodeNamed(t, c, of, name).ID, 10*time.Minute)
	require.NoError(t, err)
	return accepted.Operation
}

func TestTheWholeGuideInTheSimulatedAzure(t *testing.T) {
	t.Parallel()
	for _, form := range []nexussim.LongForm{nexussim.BothHeaders, nexussim.LocationOnly, nexussim.AtOnce} {
		t.Run(string(form), func(t *testing.T) {
			t.Parallel()
			azure := &nexussim.Azure{Form: form, PageSize: 3}
			c := simulated(t, azure)
			cluster := named(t, c, "edge-lab")
			require.Equal(t, nexus.Disabled, cluster.Level)
			accepted, err := c.SetEnforcementLevel(t.Context(), cluster, nexus.OnDemand)
			require.NoError(t, err)
			if accepted.Operation != "" {
				status, err := c.OperationStatus(t.Context(), accepted.Operation)
				require.NoError(t, err)
				require.Equal(t, nexus.Succeeded, status.State)
			}
			cluster, err = c.GetCluster(t.Context(), cluster.ID)
			require.NoError(t, err)
			require.Equal(t, nexus.OnDemand, cluster.Level)

			accepted, err = c.ScanRuntime(t.Context(), cluster.ID, correlation)
			require.NoError(t, err)
			status, err := c.OperationStatus(t.Context(), accepted.Operation)
			require.NoError(t, err)
			require.Equal(t, nexus.Succeeded, status.State)
			cluster, err = c.GetCluster(t.Context(), cluster.ID)
			require.NoError(t, err)
			scan, ok := cluster.Scan()
			require.True(t, ok)
			require.Equal(t, correlation, scan.CorrelationID)
			nodes, err := collect(c.ListNodes(t.Context(), cluster))
			require.NoError(t, err)
			require.Len(t, nodes, 4)
			require.False(t, nodes[0].Protection.ScanCompleted.IsZero())

			operation := reportOf(t, c, cluster, nodes[0].ID.Name)
			status, err = c.OperationStatus(t.Context(), operation)
			require.NoError(t, err)
			require.Equal(t, "0", status.ExitCode)
			require.True(t, status.HasResult)
			var packed bytes.Buffer
			result, err := c.DownloadResult(t.Context(), operation, cluster.ContainerURL, &packed)
			require.NoError(t, err)
			require.Equal(t, int64(packed.Len()), result.Bytes)
			require.Equal(t, []byte{0x1f, 0x8b}, packed.Bytes()[:2], "it is gzip, as it was sent")

			effects := azure.Effects()
			require.Len(t, effects, 3)
			require.Equal(t, []string{"level", "scan", "report"}, []string{effects[0].Kind, effects[1].Kind, effects[2].Kind})
			require.Equal(t, "2026-07-01", effects[0].APIVersion)
			require.NotEmpty(t, effects[0].IfMatch)
			require.Equal(t, []string{"2025-09-01", "2025-09-01"}, []string{effects[1].APIVersion, effects[2].APIVersion})
			require.Equal(t, 3, azure.Writes())
		})
	}
}

func TestALevelThatSomebodyElseChanged(t *testing.T) {
	t.Parallel()
	azure := &nexussim.Azure{}
	c := simulated(t, azure)
	read := named(t, c, "edge-lab")
	azure.SetCluster("edge-lab", func(cl *nexussim.Cluster) { cl.Level = "Passive" })
	_, err := c.SetEnforcementLevel(t.Context(), read, nexus.RealTime)
	require.True(t, nexus.Changed(err), "%v", err)
	require.True(t, nexus.Refused(err))
	require.Empty(t, azure.Effects())
	require.Equal(t, "Passive", azure.Level("edge-lab"))
}

func TestAScanOfADisabledClusterFailsInItsOperation(t *testing.T) {
	t.Parallel()
	c := simulated(t, &nexussim.Azure{})
	accepted, err := c.ScanRuntime(t.Context(), named(t, c, "edge-lab").ID, "")
	require.NoError(t, err)
	status, err := c.OperationStatus(t.Context(), accepted.Operation)
	require.NoError(t, err)
	require.Equal(t, nexus.Failed, status.State)
	require.NotEmpty(t, status.Message)
}

func TestAnOlderServiceIsReadToo(t *testing.T) {
	t.Parallel()
	c := simulated(t, &nexussim.Azure{APIVersions: []string{"2025-02-01", "2025-09-01"}})
	cluster := named(t, c, "contoso-cluster")
	require.Equal(t, "2025-09-01", cluster.APIVersion)
	require.Empty(t, cluster.DefinitionUpdateMode)
	require.NotNil(t, cluster.Actions)
	node := nodeNamed(t, c, cluster, "rack1compute01")
	require.Empty(t, node.Protection.Health)
	require.False(t, node.Protection.ScanCompleted.IsZero())
	_, err := c.SetEnforcementLevel(t.Context(), cluster, nexus.RealTime)
	require.NoError(t, err)
	require.Nil(t, named(t, c, "legacy-site").Actions, "an older runtime reports no actions")
}

// Everything that a node's answers hold and nobody must see is looked for in everything that comes out.
func TestNothingSecretLeavesTheClient(t *testing.T) {
	t.Parallel()
	var logged bytes.Buffer
	c := simulated(t, &nexussim.Azure{}, func(o *nexus.Options) {
		o.Logger = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	out := map[string]any{}
	for _, name := range []string{"contoso-cluster", "edge-lab", "legacy-site"} {
		cluster := named(t, c, name)
		nodes, err := collect(c.ListNodes(t.Context(), cluster))
		require.NoError(t, err)
		require.NotEmpty(t, nodes)
		accepted, err := c.StartReport(t.Context(), nodes[0].ID, time.Hour)
		require.NoError(t, err)
		status, err := c.OperationStatus(t.Context(), accepted.Operation)
		require.NoError(t, err)
		var content bytes.Buffer
		result, err := c.DownloadResult(t.Context(), accepted.Operation, cluster.ContainerURL, &content)
		require.NoError(t, err)
		out[name] = []any{cluster, nodes, accepted, status, result}
	}
	written, err := json.Marshal(out)
	require.NoError(t, err)
	require.NotEmpty(t, nexussim.Secrets())
	for _, secret := range append(nexussim.Secrets(), "sig=", "eyJ", "Bearer") {
		require.NotContains(t, string(written), secret)
		require.NotContains(t, fmt.Sprintf("%#v", out), secret)
		require.NotContains(t, logged.String(), secret)
	}
}

func TestResultsOfTheSimulatedAzure(t *testing.T) {
	t.Parallel()
	for result, says := range map[nexussim.Result]string{
		nexussim.ResultArchive: "", nexussim.ResultPlain: "", nexussim.ResultTimeLimit: "", nexussim.ResultStopped: "",
		nexussim.ResultHash: "hash differs", nexussim.ResultGone: "the result is gone", nexussim.ResultForeign: "not followed",
		nexussim.ResultTimedOut: "it failed", nexussim.ResultFailed: "it failed", nexussim.ResultCanceled: "it canceled",
		nexussim.ResultExit: "names no result", nexussim.ResultLost: "no longer known",
	} {
		for _, cluster := range []string{"contoso-cluster", "edge-lab"} {
			t.Run(cluster+" "+string(result), func(t *testing.T) {
				t.Parallel()
				azure := &nexussim.Azure{}
				c := simulated(t, azure)
				of := named(t, c, cluster)
				require.Equal(t, cluster == "contoso-cluster", of.ContainerURL != "")
				name := nodes(t, c, of)[0].ID.Name
				azure.SetNode(cluster, name, func(n *nexussim.Node) { n.Result = result })
				operation := reportOf(t, c, of, name)
				var got bytes.Buffer
				done, err := c.DownloadResult(t.Context(), operation, of.ContainerURL, &got)
				if says == "" {
					require.NoError(t, err)
					require.Equal(t, int64(got.Len()), done.Bytes)
					return
				}
				require.ErrorContains(t, err, says)
			})
		}
	}
}

func nodes(t testing.TB, c *nexus.Client, of *nexus.Cluster) []*nexus.Node {
	t.Helper()
	all, err := collect(c.ListNodes(t.Context(), of))
	require.NoError(t, err)
	require.NotEmpty(t, all)
	return all
}

func TestAnOverriddenContainerIsTheOneThatCounts(t *testing.T) {
	t.Parallel()
	azure := &nexussim.Azure{Clusters: nexussim.DefaultClusters()}
	azure.Clusters[0].Override = true
	c := simulated(t, azure)
	of := named(t, c, "contoso-cluster")
	require.True(t, strings.HasSuffix(of.ContainerURL, "/restricted-output"), of.ContainerURL)
	operation := reportOf(t, c, of, "rack1compute01")
	_, err := c.DownloadResult(t.Context(), operation, of.ContainerURL, &bytes.Buffer{})
	require.NoError(t, err)
	_, err = c.DownloadResult(t.Context(), operation, strings.Replace(of.ContainerURL, "restricted-output", "command-output", 1), &bytes.Buffer{})
	require.ErrorContains(t, err, "outside the container")
}

func TestRightsInTheSimulatedAzure(t *testing.T) {
	t.Parallel()
	azure := &nexussim.Azure{Roles: map[string][]string{"app-1": {
		"Microsoft.NetworkCloud/clusters/read", "Microsoft.NetworkCloud/bareMetalMachines/read", "Microsoft.NetworkCloud/bareMetalMachines/runDataExtractsRestricted/action",
		"Microsoft.NetworkCloud/locations/operationStatuses/read",
	}}}
	c := simulated(t, azure)
	cluster := named(t, c, "contoso-cluster")
	var failed *nexus.Error
	_, err := c.ScanRuntime(t.Context(), cluster.ID, "")
	require.ErrorAs(t, err, &failed)
	require.Equal(t, "Microsoft.NetworkCloud/clusters/scanRuntime/action", failed.Action)
	require.True(t, strings.HasPrefix(failed.Scope, cluster.ID.String()), failed.Scope)
	require.ErrorContains(t, err, `at its level "operate"`)
	_, err = c.SetEnforcementLevel(t.Context(), cluster, nexus.Passive)
	require.ErrorContains(t, err, `at its level "admin"`)
	require.True(t, nexus.Refused(err))
	_, err = c.DownloadResult(t.Context(), reportOf(t, c, cluster, "rack1compute01"), cluster.ContainerURL, &bytes.Buffer{})
	require.ErrorContains(t, err, "Storage Blob Data Reader")
	require.ErrorContains(t, err, "AuthorizationPermissionMismatch")
}

// A write that took effect and was not answered is done once, and never said to be undone.
func TestFaultsOfTheSimulatedAzure(t *testing.T) {
	t.Parallel()
	for _, kind := range []simulate.FaultKind{simulate.FaultCutAfter, simulate.FaultStatusAfter, simulate.FaultContentType, simulate.FaultCutBefore, simulate.FaultStatus, simulate.FaultEcho} {
		for name, do := range map[string]func(context.Context, *nexus.Client, *nexus.Cluster, *nexus.Node) error{
			"level": func(ctx context.Context, c *nexus.Client, cl *nexus.Cluster, _ *nexus.Node) error {
				_, err := c.SetEnforcementLevel(ctx, cl, nexus.RealTime)
				return err
			},
			"scan": func(ctx context.Context, c *nexus.Client, cl *nexus.Cluster, _ *nexus.Node) error {
				_, err := c.ScanRuntime(ctx, cl.ID, correlation)
				return err
			},
			"report": func(ctx context.Context, c *nexus.Client, _ *nexus.Cluster, n *nexus.Node) error {
				_, err := c.StartReport(ctx, n.ID, time.Hour)
				return err
			},
		} {
			t.Run(name+" "+string(kind), func(t *testing.T) {
				t.Parallel()
				azure := &nexussim.Azure{}
				c := simulated(t, azure)
				cluster := named(t, c, "contoso-cluster")
				node := nodeNamed(t, c, cluster, "rack1compute01")
				azure.Fail(simulate.Fault{Path: "/subscriptions/**", Kind: kind, Times: -1})
				err := do(t.Context(), c, cluster, node)
				azure.ClearFaults()
				if kind == simulate.FaultContentType {
					require.NoError(t, err, "where the operation is stands in the header")
					require.Len(t, azure.Effects(), 1)
					return
				}
				require.Error(t, err)
				require.False(t, nexus.NotSent(err), "%v", err)
				require.False(t, nexus.Refused(err), "%v", err)
				require.NotContains(t, err.Error(), "eyJ")
				require.NotContains(t, err.Error(), "sig=sim")
				require.Equal(t, 1, azure.Writes())
				require.LessOrEqual(t, len(azure.Effects()), 1)
			})
		}
	}
}

func TestAListOfTheSimulatedAzureThatLeadsAway(t *testing.T) {
	t.Parallel()
	azure := &nexussim.Azure{}
	c := simulated(t, azure)
	azure.Fail(simulate.Fault{Method: "GET", Kind: simulate.FaultForeignLink})
	_, err := collect(c.ListClusters(t.Context(), nexussim.DefaultSubscription, ""))
	require.ErrorContains(t, err, simulate.ForeignHost)
}

func TestAResultThatIsCutOnTheWay(t *testing.T) {
	t.Parallel()
	for _, cluster := range []string{"contoso-cluster", "edge-lab"} {
		azure := &nexussim.Azure{}
		c := simulated(t, azure)
		of := named(t, c, cluster)
		operation := reportOf(t, c, of, nodes(t, c, of)[0].ID.Name)
		azure.Fail(simulate.Fault{Path: "/storage/**", Kind: simulate.FaultTruncated})
		var got bytes.Buffer
		result, err := c.DownloadResult(t.Context(), operation, of.ContainerURL, &got)
		if cluster == "edge-lab" {
			require.NoError(t, err, "what a signature opens is continued, because the storage proves that it is the same")
			require.Equal(t, int64(got.Len()), result.Bytes)
			continue
		}
		require.ErrorContains(t, err, "must not be used")
	}
}
