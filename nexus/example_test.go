package nexus_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/mde-ops/mde-ops/nexus"
	"github.com/mde-ops/mde-ops/nexus/nexussim"
)

// simulatedClient is a client of a simulated Azure, whose operations end at once.
func simulatedClient() (*nexus.Client, func()) {
	azure := &nexussim.Azure{OperationTime: -1, ScanTime: -1}
	server, err := azure.Start()
	if err != nil {
		panic(err)
	}
	client, err := nexus.New(simulatedApp("example"), nexus.Options{Cloud: nexus.Custom(server.URL), HTTPClient: server.Client()})
	if err != nil {
		panic(err)
	}
	return client, func() { _ = server.Close() }
}

// Which clusters are there, and how are they protected?
func ExampleClient_ListClusters() {
	client, stop := simulatedClient()
	defer stop()
	for cluster, err := range client.ListClusters(context.Background(), nexussim.DefaultSubscription, "") {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(cluster.ID.Name, cluster.Level)
	}
	// Output:
	// contoso-cluster OnDemand
	// edge-lab Disabled
	// legacy-site Passive
}

// A change is made to the cluster as it was read. Its operation is kept and looked at until it has ended.
func ExampleClient_SetEnforcementLevel() {
	client, stop := simulatedClient()
	defer stop()
	ctx := context.Background()
	id, err := nexus.ParseID("/subscriptions/" + nexussim.DefaultSubscription + "/resourceGroups/lab-rg/providers/Microsoft.NetworkCloud/clusters/edge-lab")
	if err != nil {
		fmt.Println(err)
		return
	}
	read, err := client.GetCluster(ctx, id)
	if err != nil {
		fmt.Println(err)
		return
	}
	accepted, err := client.SetEnforcementLevel(ctx, read, nexus.Passive)
	switch {
	case nexus.Changed(err):
		fmt.Println("somebody else has changed the cluster: look at it again")
		return
	case err != nil:
		fmt.Println(err)
		return
	}
	status, err := client.OperationStatus(ctx, accepted.Operation)
	if err != nil {
		fmt.Println(err)
		return
	}
	now, err := client.GetCluster(ctx, id)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(status.State, now.Level)
	// Output: succeeded Passive
}

// A node writes the report of its agent; the result is streamed to wherever it is wanted.
func ExampleClient_DownloadResult() {
	client, stop := simulatedClient()
	defer stop()
	ctx := context.Background()
	id, err := nexus.ParseID("/subscriptions/" + nexussim.DefaultSubscription + "/resourceGroups/contoso-cluster-rg/providers/Microsoft.NetworkCloud/clusters/contoso-cluster")
	if err != nil {
		fmt.Println(err)
		return
	}
	cluster, err := client.GetCluster(ctx, id)
	if err != nil {
		fmt.Println(err)
		return
	}
	for node, err := range client.ListNodes(ctx, cluster) {
		if err != nil {
			fmt.Println(err)
			return
		}
		if why := node.Unfit(); why != "" {
			fmt.Println(node.ID.Name+":", why)
			continue
		}
		accepted, err := client.StartReport(ctx, node.ID, 10*time.Minute)
		if err != nil {
			fmt.Println(err)
			continue
		}
		result, err := client.DownloadResult(ctx, accepted.Operation, cluster.ContainerURL, io.Discard)
		fmt.Println(node.ID.Name+":", result.Bytes > 0, err)
	}
	// Output:
	// rack1control01: true <nil>
	// rack1control02: true <nil>
	// rack1compute01: true <nil>
	// rack1compute02: true <nil>
	// rack1compute03: true <nil>
	// rack1compute04: its power state is Off
	// rack1compute05: true <nil>
	// rack1compute06: it is not ready (readyState False)
}

// What an error means for a write: made again, refused, or perhaps done.
func ExampleNotSent() {
	judge := func(err error) string {
		switch {
		case nexus.NotSent(err):
			return "nothing was done: it may be sent again"
		case nexus.Refused(err):
			return "nothing was done, and asking again is useless"
		}
		return "it may have been done: look, and don't send it again"
	}
	fmt.Println(judge(&nexus.Error{Status: http.StatusTooManyRequests}))
	fmt.Println(judge(&nexus.Error{Status: http.StatusConflict}))
	fmt.Println(judge(&nexus.Error{Status: http.StatusBadGateway}))
	// Output:
	// nothing was done: it may be sent again
	// nothing was done, and asking again is useless
	// it may have been done: look, and don't send it again
}
