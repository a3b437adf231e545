package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/mde-ops/mde-ops/nexus"
)

// maxClusters bounds how many clusters of a subscription are looked at one by one.
const maxClusters = 20

// nexus looks at the configured Nexus clusters as the reading application sees them.
func (d *Doctor) nexus(ctx context.Context) []Finding {
	client, err := d.o.Base.NexusClient(d.cfg.Read)
	if err != nil {
		return []Finding{failure("look at MDE_NEXUS_URL and at the reading credential", "%v", err)}
	}
	var found []Finding
	for _, subscription := range d.cfg.Nexus.Subscriptions {
		found = append(found, d.subscription(ctx, client, subscription)...)
	}
	if d.o.Writer {
		found = append(found, good("what the writing application may change there is seen only when it does: docs/nexus.md has its role").about("writing"))
	}
	return found
}

// subscription looks at the clusters of one subscription.
func (d *Doctor) subscription(ctx context.Context, client *nexus.Client, subscription string) (found []Finding) {
	seen := 0
	for c, err := range client.ListClusters(ctx, subscription, "") {
		if err != nil {
			return append(found, failure(nexusFix(err), "the clusters of the subscription can't be listed: %v", err).about(subscription))
		}
		if seen++; seen > maxClusters {
			return append(found, good("more than %d clusters; the others are not looked at", maxClusters).about(subscription))
		}
		found = append(found, d.cluster(ctx, client, c).about(c.ID.Name))
	}
	if seen == 0 {
		return []Finding{warning("look at MDE_NEXUS_SUBSCRIPTIONS, and at where the reading application has its role",
			"no cluster is there, or none that the reading application may see").about(subscription)}
	}
	return found
}

// cluster says how one cluster is reached, and what of it could not be used.
func (d *Doctor) cluster(ctx context.Context, client *nexus.Client, c *nexus.Cluster) Finding {
	nodes := 0
	for _, err := range client.ListNodes(ctx, c) {
		if err != nil {
			return failure(nexusFix(err), "its nodes can't be listed: %v", err)
		}
		nodes++
	}
	text := fmt.Sprintf("level %s, connection %s, %d nodes", c.Level, c.ConnectionStatus, nodes)
	switch {
	case c.ConnectionStatus != "Connected":
		return warning("nothing can be changed or collected before Azure reaches the cluster again", "%s", text)
	case c.ContainerURL == "":
		return warning("set commandOutputSettings of the cluster to a container of your own", "%s; reports go to the cluster manager's storage, which Microsoft is removing", text)
	}
	return good("%s", text)
}

// nexusFix says what to do about a refusal of Azure.
func nexusFix(err error) string {
	var failed *nexus.Error
	if errors.As(err, &failed) && failed.Action != "" {
		return "give the reading application the role of docs/nexus.md there, which has " + failed.Action
	}
	return "look at MDE_NEXUS_SUBSCRIPTIONS, and at the reading application's role (docs/nexus.md)"
}
