package nexus

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// Kind is a type of resource of the provider, as it stands in a resource id.
type Kind string

// The kinds of resources that calls are about.
const (
	KindCluster Kind = "clusters"
	KindNode    Kind = "bareMetalMachines"
)

// ID names a cluster or a node. Azure takes ids in any case: compare them with [ID.Same].
type ID struct {
	// Subscription is a GUID; ResourceGroup and Name are as Azure spells them.
	Subscription, ResourceGroup string
	Kind                        Kind
	Name                        string
}

const provider = "Microsoft.NetworkCloud"

// String is the resource id, e.g. /subscriptions/…/resourceGroups/rg/providers/Microsoft.NetworkCloud/clusters/name.
func (id ID) String() string {
	return "/subscriptions/" + id.Subscription + "/resourceGroups/" + id.ResourceGroup + "/providers/" + provider + "/" + string(id.Kind) + "/" + id.Name
}

// Same reports whether both name the same resource: ids are compared without case.
func (id ID) Same(other ID) bool { return strings.EqualFold(id.String(), other.String()) }

// The parts of ids as patterns. A resource group must not end in a dot, which also keeps "." and ".." out of paths.
const (
	guidText  = `[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`
	groupText = `[-\w.()]{0,89}[-\w()]`
)

var idPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)^/subscriptions/(` + guidText + `)/resourceGroups/(` + groupText + `)/providers/Microsoft\.NetworkCloud/(clusters|bareMetalMachines)/([a-z0-9][-\w]{0,62})$`)
})

var guidPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)^` + guidText + `$`) })

var groupPattern = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`(?i)^` + groupText + `$`) })

// ParseID reads a resource id of a cluster or a node, in any case.
func ParseID(text string) (ID, error) {
	m := idPattern().FindStringSubmatch(text)
	if m == nil {
		return ID{}, fmt.Errorf("%.200q is not the resource id of a Nexus cluster or node: it looks like /subscriptions/<GUID>/resourceGroups/<name>/providers/%s/%s/<name>", text, provider, KindCluster)
	}
	kind := KindCluster
	if strings.EqualFold(m[3], string(KindNode)) {
		kind = KindNode
	}
	return ID{Subscription: strings.ToLower(m[1]), ResourceGroup: m[2], Kind: kind, Name: m[4]}, nil
}

// checkID refuses an id that was not made by [ParseID], or is of something else than is meant.
func checkID(id ID, want Kind) error {
	got, err := ParseID(id.String())
	if err == nil && got.Kind != want {
		return fmt.Errorf("%s is in %s, and this is about %s", id, got.Kind, want)
	}
	return err
}

func isGUID(text string) bool { return guidPattern().MatchString(text) }

func checkSubscription(id string) error {
	if !isGUID(id) {
		return fmt.Errorf("%.100q is not the id (a GUID) of an Azure subscription", id)
	}
	return nil
}

// checkResourceGroup takes an empty name, which stands for all.
func checkResourceGroup(name string) error {
	if name != "" && !groupPattern().MatchString(name) {
		return fmt.Errorf("%.100q is not the name of a resource group: it has up to 90 letters, digits, dots, hyphens, underscores and brackets, and no dot at its end", name)
	}
	return nil
}
