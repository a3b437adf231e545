package nexussim

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// cluster is a cluster with what becomes of it.
type cluster struct {
	seed    Cluster
	version int // of its ETag
	nodes   []*node
	scan    *operation // the latest
}

// node is a machine with what becomes of it.
type node struct {
	seed           Node
	started, ended time.Time // of its latest scan; ended may be to come
	busy           *operation
}

// operation is a long operation.
type operation struct {
	id, resource string
	kind         string // "level", "scan" or "report"
	begun, ends  time.Time
	correlation  string
	// level is what a change sets at its end; fails is why it does not succeed, by the time it was asked for.
	level, fails string
	cluster      *cluster
	node         *node
	done         bool
}

func newCluster(seed Cluster) *cluster {
	seed.Connection, seed.Manager = orDefault(seed.Connection, "Connected"), orDefault(seed.Manager, "Connected")
	seed.Provisioning, seed.Detailed = orDefault(seed.Provisioning, "Succeeded"), orDefault(seed.Detailed, "Running")
	seed.Level, seed.UpdateMode = orDefault(seed.Level, "Disabled"), orDefault(seed.UpdateMode, "None")
	c := &cluster{seed: seed, version: 1}
	for _, n := range seed.Nodes {
		n.Power, n.Ready, n.Provisioning = orDefault(n.Power, "On"), orDefault(n.Ready, "True"), orDefault(n.Provisioning, "Succeeded")
		n.Health, n.Licence = orDefault(n.Health, "Healthy"), orDefault(n.Licence, "Licensed")
		live := &node{seed: n, ended: n.Scanned}
		if !n.Scanned.IsZero() {
			live.started = n.Scanned.Add(-20 * time.Minute)
		}
		c.nodes = append(c.nodes, live)
	}
	c.seed.Nodes = nil
	return c
}

func (c *cluster) etag() string {
	return fmt.Sprintf(`"%08x-0000-0100-0000-%012x"`, len(c.seed.Name), c.version)
}

func (c *cluster) id(subscription string) string {
	return "/subscriptions/" + subscription + "/resourceGroups/" + c.seed.ResourceGroup + "/providers/Microsoft.NetworkCloud/clusters/" + c.seed.Name
}

func (c *cluster) nodeID(subscription string, n *node) string {
	return "/subscriptions/" + subscription + "/resourceGroups/" + c.seed.ManagedGroup + "/providers/Microsoft.NetworkCloud/bareMetalMachines/" + n.seed.Name
}

// level is the level that a node is at.
func (c *cluster) level(n *node) string { return orDefault(n.seed.Level, c.seed.Level) }

// begin begins an operation. The lock is held.
func (a *Azure) begin(o operation) *operation {
	a.made++
	sum := sha256.Sum256(fmt.Appendf(nil, "operation %d", a.made))
	h := hex.EncodeToString(sum[:])
	o.id = fmt.Sprintf("%s-%s-4%s-8%s-%s*%X", h[:8], h[8:12], h[13:16], h[17:20], h[20:32], sum[16:22])
	o.begun = a.now()
	o.ends = o.begun.Add(max(a.OperationTime, 0))
	a.operations[strings.ToLower(o.id)] = &o
	return &o
}

// settle brings about what has ended by now. The lock is held.
func (a *Azure) settle() {
	now := a.now()
	for _, o := range a.operations {
		if o.done || now.Before(o.ends) {
			continue
		}
		o.done = true
		switch {
		case o.kind == "report":
			o.node.busy = nil
		case o.fails != "":
		case o.kind == "level":
			o.cluster.seed.Level = o.level
			for _, n := range o.cluster.nodes {
				if n.seed.Power == "On" && n.seed.Ready == "True" {
					n.seed.Level = "" // who is reached follows
				}
			}
			o.cluster.version++
		case o.kind == "scan":
			a.distribute(o)
		}
	}
}

// distribute has nodes scan one after the other, those that can be reached.
func (a *Azure) distribute(o *operation) {
	at := o.ends
	for _, n := range o.cluster.nodes {
		if n.seed.Power != "On" || n.seed.Ready != "True" {
			continue
		}
		n.started, n.ended = at, at.Add(max(a.ScanTime, 0))
		at = at.Add(max(a.ScanTime, 0) / 4)
	}
}

// busy reports whether a cluster is being changed. The lock is held.
func (a *Azure) busy(c *cluster) bool {
	for _, o := range a.operations {
		if o.cluster == c && o.kind == "level" && !o.done {
			return true
		}
	}
	return false
}
