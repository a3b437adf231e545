package tools

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/internal/nearest"
	"github.com/mde-ops/mde-ops/nexus"
)

// maxClusters bounds how many clusters are looked through, so that a name is never taken for unique among a part of them.
const maxClusters = 1000

// maxNodes is the most nodes of a cluster that are looked through.
const maxNodes = 5000

// cluster finds the one cluster that a name or a resource id means, and reads it itself.
func (s *session) cluster(ctx context.Context, named string) (*nexus.Cluster, error) {
	on, err := s.nexusReader()
	if err != nil {
		return nil, err
	}
	id, err := s.clusterID(ctx, on, strings.TrimSpace(named))
	if err != nil {
		return nil, err
	}
	c, err := on.Client.GetCluster(ctx, id)
	if err != nil {
		return nil, nexusRefusal(err)
	}
	return c, nil
}

// clusterID finds the id that a name or an id means.
func (s *session) clusterID(ctx context.Context, on *NexusReader, named string) (nexus.ID, error) {
	if strings.HasPrefix(named, "/") {
		id, err := nexus.ParseID(named)
		switch {
		case err != nil:
			return nexus.ID{}, approvals.Refuse(approvals.KindInvalid, err, "Nothing was sent: %s", clean(err.Error(), 500))
		case id.Kind != nexus.KindCluster:
			return nexus.ID{}, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: %s is a node; name its cluster", quoted(id.Name, 80))
		}
		return id, on.configured(id.Subscription)
	}
	all, err := s.clusters(ctx, "", "")
	if err != nil {
		return nexus.ID{}, err
	}
	var found []nexus.ID
	var names []string
	for _, c := range all {
		names = append(names, c.ID.Name)
		if strings.EqualFold(c.ID.Name, named) {
			found = append(found, c.ID)
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	return nexus.ID{}, notOneCluster(named, found, names, on.Subscriptions)
}

// notOneCluster says why a name can't be taken for a cluster.
func notOneCluster(named string, found []nexus.ID, names, subscriptions []string) error {
	if len(found) == 0 {
		return approvals.Refuse(approvals.KindNotFound, nil, "Nothing was sent: there is no Nexus cluster %s%s in the configured subscriptions (%s)",
			quoted(named, 80), nearestOf(named, names), strings.Join(subscriptions, ", "))
	}
	var b strings.Builder
	for _, id := range found[:min(len(found), maxCandidates)] {
		b.WriteString("\n- " + id.String())
	}
	return approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: %s is ambiguous, %d clusters have that name. Call again with the resource id of the one you mean:%s",
		quoted(named, 80), len(found), b.String())
}

// configured refuses a subscription that the tools were not told of.
func (n *NexusReader) configured(subscription string) error {
	if slices.ContainsFunc(n.Subscriptions, func(s string) bool { return strings.EqualFold(s, subscription) }) {
		return nil
	}
	return approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: the subscription %s is not one of the configured ones (MDE_NEXUS_SUBSCRIPTIONS: %s)",
		quoted(subscription, 80), strings.Join(n.Subscriptions, ", "))
}

// clusters lists the clusters of one configured subscription or of all, and of one resource group or of all, by name. A
// subscription that can't be listed fails the whole: a name could be unique among the others by mistake.
func (s *session) clusters(ctx context.Context, subscription, resourceGroup string) ([]*nexus.Cluster, error) {
	on, err := s.nexusReader()
	if err != nil {
		return nil, err
	}
	in := on.Subscriptions
	if subscription != "" {
		if err := on.configured(subscription); err != nil {
			return nil, err
		}
		in = []string{subscription}
	}
	var all []*nexus.Cluster
	for _, sub := range in {
		for c, err := range on.Client.ListClusters(ctx, sub, resourceGroup) {
			if err != nil {
				return nil, nexusRefusal(err)
			}
			if all = append(all, c); len(all) > maxClusters {
				return nil, approvals.Refuse(approvals.KindInvalid, nil, "Nothing was sent: there are more than %d clusters; name a resource group", maxClusters)
			}
		}
	}
	slices.SortFunc(all, func(a, b *nexus.Cluster) int {
		return cmp.Or(strings.Compare(a.ID.Name, b.ID.Name), strings.Compare(a.ID.String(), b.ID.String()))
	})
	return all, nil
}

// nodes lists the nodes of a cluster by name; spare machines and those of another cluster in the same group are left out.
func (s *session) nodes(ctx context.Context, c *nexus.Cluster) ([]*nexus.Node, error) {
	on, err := s.nexusReader()
	if err != nil {
		return nil, err
	}
	all, err := nodesOf(ctx, on.Client, c)
	if err != nil {
		return nil, nexusRefusal(err)
	}
	return all, nil
}

func nodesOf(ctx context.Context, client *nexus.Client, c *nexus.Cluster) ([]*nexus.Node, error) {
	var all []*nexus.Node
	for n, err := range client.ListNodes(ctx, c) {
		if err != nil {
			return nil, err
		}
		if !strings.EqualFold(n.Cluster, c.ID.String()) {
			continue
		}
		if all = append(all, n); len(all) > maxNodes {
			return nil, fmt.Errorf("the cluster has more than %d nodes", maxNodes)
		}
	}
	slices.SortFunc(all, func(a, b *nexus.Node) int { return strings.Compare(a.ID.Name, b.ID.Name) })
	return all, nil
}

// nodesNamed finds the nodes that are meant, by resource name, machine name, name in Kubernetes or resource id, each once.
// None named means all.
func nodesNamed(all []*nexus.Node, named []string) ([]*nexus.Node, error) {
	if len(named) == 0 {
		return all, nil
	}
	var problems Problems
	var out []*nexus.Node
	for _, name := range named {
		var found []*nexus.Node
		for _, n := range all {
			if isCalled(n, name) {
				found = append(found, n)
			}
		}
		switch {
		case len(found) != 1:
			problems = append(problems, notOneNode(name, found, all))
		case !slices.Contains(out, found[0]):
			out = append(out, found[0])
		}
	}
	if len(problems) > 0 {
		return nil, approvals.Refuse(approvals.KindInvalid, problems, "Nothing was sent: %s", problems.Error())
	}
	return out, nil
}

// isCalled reports whether a name is one of a node's.
func isCalled(n *nexus.Node, name string) bool {
	name = strings.TrimSpace(name)
	return name != "" && slices.ContainsFunc([]string{n.ID.Name, n.MachineName, n.KubernetesName, n.ID.String()},
		func(own string) bool { return strings.EqualFold(own, name) })
}

func notOneNode(name string, found, all []*nexus.Node) Problem {
	if len(found) > 1 {
		ids := make([]string, len(found))
		for i, n := range found {
			ids[i] = n.ID.Name
		}
		return problem("nodes", "%s is ambiguous: it is the name of %s; name one of these", quoted(name, 80), strings.Join(ids, " and "))
	}
	var names []string
	for _, n := range all {
		names = append(names, n.ID.Name, n.MachineName)
	}
	return problem("nodes", "the cluster has no node %s%s", quoted(name, 80), didYouMean(name, names))
}

// nearestOf is didYouMean in the middle of a text.
func nearestOf(meant string, offered []string) string {
	if near, ok := nearest.Word(meant, offered); ok {
		return " (did you mean " + near + "?)"
	}
	return ""
}

// nexusRefusal makes any error of the client one for the caller.
func nexusRefusal(err error) error {
	var ours *approvals.Error
	var remote *nexus.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &ours):
		return ours
	case errors.As(err, &remote):
		kind := approvals.KindNoAnswer
		if nexus.IsNotFound(err) {
			kind = approvals.KindNotFound
		}
		return approvals.Refuse(kind, err, "Azure could not be asked, so nothing was done: %s", clean(remote.Error(), 900))
	}
	return refusal(err)
}
