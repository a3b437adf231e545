package nexus

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
)

const (
	routeClusters      = "/subscriptions/{subscriptionId}/providers/Microsoft.NetworkCloud/clusters"
	routeGroupClusters = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.NetworkCloud/clusters"
	routeCluster       = routeGroupClusters + "/{clusterName}"
	routeScanRuntime   = routeCluster + "/scanRuntime"
)

// ListClusters lists the clusters of a subscription, or of one of its resource groups. A failure is yielded once and ends
// the list: whoever sees no error has seen everything. Operations Clusters_ListBySubscription, Clusters_ListByResourceGroup.
func (c *Client) ListClusters(ctx context.Context, subscription, resourceGroup string) iter.Seq2[*Cluster, error] {
	what := call{
		op: "ListClusters", method: http.MethodGet, permission: permitReadClusters,
		route: routeClusters, path: "/subscriptions/" + subscription + "/providers/" + provider + "/clusters",
		missing: "there is no subscription " + word(subscription) + " that this application may see",
	}
	if resourceGroup != "" {
		what.route, what.path = routeGroupClusters, "/subscriptions/"+subscription+"/resourceGroups/"+resourceGroup+"/providers/"+provider+"/clusters"
		what.missing = fmt.Sprintf("there is no resource group %s in subscription %s that this application may see", word(resourceGroup), word(subscription))
	}
	return list(ctx, c, subscription, what, func(w *clusterWire, version string) (*Cluster, error) {
		got, err := w.cluster(version)
		if err == nil && (!strings.EqualFold(got.ID.Subscription, subscription) || resourceGroup != "" && !strings.EqualFold(got.ID.ResourceGroup, resourceGroup)) {
			err = fmt.Errorf("it holds the cluster %s, which is somewhere else than was asked for", got.ID)
		}
		return got, err
	}, checkSubscription(subscription), checkResourceGroup(resourceGroup))
}

// GetCluster reads a cluster. The newest api-version that the service takes is used. Operation Clusters_Get.
func (c *Client) GetCluster(ctx context.Context, id ID) (*Cluster, error) {
	const op = "GetCluster"
	if err := checkID(id, KindCluster); err != nil {
		return nil, refuse(op, err)
	}
	var got *Cluster
	err := c.newest(ctx, id.Subscription, func(ctx context.Context, version string) error {
		what := call{op: op, method: http.MethodGet, route: routeCluster, path: id.String(), version: version, permission: permitReadClusters, missing: noCluster(id)}
		resp, body, err := c.read(ctx, what)
		if err != nil {
			return err
		}
		got, err = readCluster(what, id, resp, body)
		return err
	})
	if err != nil {
		return nil, err
	}
	return got, nil
}

func noCluster(id ID) string {
	return fmt.Sprintf("there is no cluster %s in resource group %s of subscription %s that this application may see", id.Name, id.ResourceGroup, id.Subscription)
}

// readCluster reads an answer that must be about the cluster that was asked for.
func readCluster(what call, asked ID, resp *http.Response, body []byte) (*Cluster, error) {
	w, err := decode[clusterWire](what, resp, body)
	if err != nil {
		return nil, err
	}
	got, err := w.cluster(what.version)
	if err == nil && !got.ID.Same(asked) {
		err = fmt.Errorf("it is about %s", got.ID)
	}
	if err != nil {
		return nil, unreadable(what.op, resp, err)
	}
	if got.ETag == "" {
		got.ETag = resp.Header.Get("ETag")
	}
	return got, nil
}

// levelPatch is the whole body of a change of level. Tags and identities stand for all of theirs in a PATCH, so that they
// must not be in it.
type levelPatch struct {
	Properties struct {
		RuntimeProtectionConfiguration struct {
			EnforcementLevel Level `json:"enforcementLevel"`
		} `json:"runtimeProtectionConfiguration"`
	} `json:"properties"`
}

// SetEnforcementLevel changes the level of a cluster as it was read: with If-Match its ETag, by its APIVersion, and with
// nothing else in the body. A cluster that was changed since is left alone ([Changed]). Where the change has an operation,
// the level is set when that has succeeded; read the cluster again to see it. Operation Clusters_Update.
func (c *Client) SetEnforcementLevel(ctx context.Context, read *Cluster, to Level) (Accepted, error) {
	const op = "SetEnforcementLevel"
	if err := checkChange(read, to); err != nil {
		return Accepted{}, refuse(op, err)
	}
	var body levelPatch
	body.Properties.RuntimeProtectionConfiguration.EnforcementLevel = to
	what := call{
		op: op, method: http.MethodPatch, route: routeCluster, path: read.ID.String(), version: read.APIVersion,
		body: body, header: map[string]string{"If-Match": read.ETag}, permission: permitWriteClusters, missing: noCluster(read.ID),
	}
	resp, answer, err := c.write(ctx, what)
	if err != nil {
		return Accepted{}, err
	}
	if done, stated, err := c.accepted(what, read.ID, resp); stated {
		return done, err
	}
	if _, err = readCluster(what, read.ID, resp, answer); err != nil {
		return Accepted{}, err
	}
	return Accepted{}, nil
}

// checkChange refuses a change that could not be made safely.
func checkChange(read *Cluster, to Level) error {
	switch {
	case read == nil:
		return errors.New("a level is set on a cluster that was read before; none is given")
	case !to.Settable():
		_, err := ParseLevel(string(to))
		if err == nil {
			err = fmt.Errorf("the level %q must be spelled as the service does", to)
		}
		return err
	case read.APIVersion != versionNewest && read.APIVersion != versionBase:
		return fmt.Errorf("the cluster %s was read with the api-version %q, which this client does not use: read it again", read.ID.Name, read.APIVersion)
	case read.ETag == "" || strings.ContainsFunc(read.ETag, func(r rune) bool { return r < ' ' || r > '~' }):
		return fmt.Errorf("the service gave no usable ETag with the cluster %s, so that a change by others meanwhile could not be seen: it is not changed", read.ID.Name)
	case strings.TrimSpace(read.ETag) == "*":
		return fmt.Errorf("the ETag * of the cluster %s fits any state of it, so that a change by others could not be seen: it is not changed", read.ID.Name)
	}
	return checkID(read.ID, KindCluster)
}

// ScanRuntime begins a scan on all nodes. Its operation ends when the request was distributed, not when the scans have ended.
// correlation, a GUID, is sent so that the action can be recognised in [Cluster.Actions]; empty for none.
// Operation Clusters_ScanRuntime.
func (c *Client) ScanRuntime(ctx context.Context, cluster ID, correlation string) (Accepted, error) {
	const op = "ScanRuntime"
	err := checkID(cluster, KindCluster)
	if err == nil && correlation != "" && !isGUID(correlation) {
		err = fmt.Errorf("the correlation %q is not a GUID", word(correlation))
	}
	if err != nil {
		return Accepted{}, refuse(op, err)
	}
	what := call{
		op: op, method: http.MethodPost, route: routeScanRuntime, path: cluster.String() + "/scanRuntime", version: versionBase,
		body:       map[string]string{"scanActivity": "Scan"},
		permission: permitScan, missing: noCluster(cluster),
	}
	if correlation != "" {
		what.header = map[string]string{headerCorrelation: correlation, headerRequestID: correlation}
	}
	return c.start(ctx, what, cluster)
}
