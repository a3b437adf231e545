package tools

import (
	"context"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/nexus"
)

const (
	// directoryLife is how long it is kept which devices are nodes, directoryRest how long nobody looks again after it could not
	// be found out.
	directoryLife = 5 * time.Minute
	directoryRest = time.Minute
	// directoryLook bounds a look at every cluster, directoryWait how long a call waits for one.
	directoryLook = time.Minute
	directoryWait = 2 * time.Second
)

// directory keeps which devices are Nexus nodes. To find out takes a look at every cluster, so one look serves all calls that
// want it and goes on when they no longer wait.
type directory struct {
	looking singleflight.Group

	mu    sync.Mutex
	known *nodesKnown // nil when it could not be found out
	until time.Time   // when it is looked for again
}

// nodesKnown are the nodes of all clusters. Both maps have all that answer to a key, so that one is only taken when it is alone.
type nodesKnown struct {
	byEDR map[string][]deviceNode // by the id in Defender that a node's agent states
	byDNS map[string][]deviceNode // by machine name in lower case, of agents that state none
}

// deviceNode is the Nexus node that a device is, as get_device shows it.
type deviceNode struct {
	Node      string `json:"node"`
	Cluster   string `json:"cluster"`
	ClusterID string `json:"cluster_id"`
	LinkedBy  string `json:"linked_by"`
	Threats   *int   `json:"threats,omitempty"`
	Collected string `json:"collected,omitempty"`
	Evidence  string `json:"evidence,omitempty"`
}

// of is the only node that is the device; nil where none or more than one could be.
func (k *nodesKnown) of(m *mdecore.Machine) *deviceNode {
	if stated := k.byEDR[strings.ToLower(m.ID)]; len(stated) > 0 {
		return alone(stated)
	}
	return alone(k.byDNS[strings.ToLower(m.ComputerDNSName)])
}

func alone(nodes []deviceNode) *deviceNode {
	if len(nodes) != 1 {
		return nil
	}
	return &nodes[0]
}

// nodes are those that are known, after a look where it is time for one. They are nil where it can't be found out, or not
// before ctx ends.
func (d *directory) nodes(ctx context.Context, clock func() time.Time, look func(context.Context) (*nodesKnown, error)) *nodesKnown {
	d.mu.Lock()
	known, fresh := d.known, clock().Before(d.until)
	d.mu.Unlock()
	if fresh {
		return known
	}
	select {
	case found := <-d.looking.DoChan("", func() (any, error) { return d.look(ctx, clock, look), nil }):
		return found.Val.(*nodesKnown)
	case <-ctx.Done():
		return nil
	}
}

// look looks and keeps what was found.
func (d *directory) look(ctx context.Context, clock func() time.Time, look func(context.Context) (*nodesKnown, error)) *nodesKnown {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), directoryLook)
	defer cancel()
	known, err := look(ctx)
	life := directoryLife
	if err != nil {
		known, life = nil, directoryRest
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known, d.until = known, clock().Add(life)
	return known
}

// nodeOf is the node that a device is: by the id that its agent states, or by exactly its name. It is nil where that is not
// certain, where no clusters are configured, and where they can't be looked through in time.
func (s *session) nodeOf(ctx context.Context, m *mdecore.Machine) *deviceNode {
	if s.nexus == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, directoryWait)
	defer cancel()
	known := s.nodesKnown.nodes(ctx, s.clock, s.learnNodes)
	if known == nil {
		return nil
	}
	return known.of(m)
}

// learnNodes looks through all clusters and the latest report of each node. A node whose agent states another device is not
// known by its name.
func (s *session) learnNodes(ctx context.Context) (*nodesKnown, error) {
	known := &nodesKnown{map[string][]deviceNode{}, map[string][]deviceNode{}}
	err := s.learn(ctx, known)
	if err != nil {
		s.log.WarnContext(ctx, "which devices are Nexus nodes could not be found out; get_device tells none for a minute", "error", err)
	}
	return known, err
}

func (s *session) learn(ctx context.Context, into *nodesKnown) error {
	all, err := s.clusters(ctx, "", "")
	if err != nil {
		return err
	}
	for _, c := range all {
		nodes, err := s.nodes(ctx, c)
		if err != nil {
			return err
		}
		for _, n := range nodes {
			known, edr, err := s.nodeKnown(ctx, c, n)
			switch name := strings.ToLower(n.MachineName); {
			case err != nil:
				return err
			case edr != "":
				known.LinkedBy = linkedByID
				into.byEDR[edr] = append(into.byEDR[edr], known)
			case name != "":
				known.LinkedBy = linkedByName
				into.byDNS[name] = append(into.byDNS[name], known)
			}
		}
	}
	return nil
}

// nodeKnown is a node with its latest report, and the id in Defender that its agent states; "" when there is none. A report that
// can't be read tells nothing.
func (s *session) nodeKnown(ctx context.Context, c *nexus.Cluster, n *nexus.Node) (known deviceNode, edr string, err error) {
	known = deviceNode{Node: nodeName(n), Cluster: clean(c.ID.Name, 60), ClusterID: c.ID.String()}
	r, err := s.reportOf(ctx, n, "")
	if err != nil || r == nil {
		return known, "", ctx.Err()
	}
	threats := len(r.Report.Threats)
	known.Threats, known.Collected, known.Evidence = &threats, moment(r.evidence.CollectedAt), r.Raw
	return known, statedDevice(r.Report.Health), nil
}
