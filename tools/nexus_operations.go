package tools

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/nexus"
)

// doneAtOnce begins the action id of a change that was done when it was answered.
const doneAtOnce = "done:"

// addressBook remembers the addresses of operations that this process began, because Azure may have signed them. A signature
// is not for the store, for cards or for the audit: there an operation is known by its place and its id alone, and whoever follows
// it after a restart asks without.
type addressBook struct {
	mu    sync.Mutex
	whole map[string]string // addresses by their paths in lower case
}

// maxRemembered bounds how many addresses are remembered; what is forgotten is asked for without its signature.
const maxRemembered = 10_000

func newAddressBook() *addressBook { return &addressBook{whole: map[string]string{}} }

func (o *addressBook) remember(address string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.whole) >= maxRemembered {
		clear(o.whole)
	}
	o.whole[strings.ToLower(nexus.OperationName(address))] = address
}

// address is that of a path, as it was remembered, or the path alone.
func (o *addressBook) address(path string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if whole := o.whole[strings.ToLower(path)]; whole != "" {
		return whole
	}
	return path
}

var operationEnd = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)/locations/([^/]+)/operationStatuses/([^/]+)$`)
})

// receipt is Azure's acceptance of a step: its action id is LOCATION/ID of the operation.
func (h nexusHands) receipt(t worker.Task, done nexus.Accepted) worker.Receipt {
	m := operationEnd().FindStringSubmatch(nexus.OperationName(done.Operation))
	if m == nil { // done when it was answered: the client takes no other address than that of an operation
		return worker.Receipt{ActionID: fmt.Sprintf("%s%s.%d", doneAtOnce, t.RequestID, t.Index), RemoteStatus: writtenStatus}
	}
	h.operations.remember(done.Operation)
	return worker.Receipt{ActionID: m[1] + "/" + m[2], RemoteStatus: "Accepted"}
}

// operationOf is the address of the operation that an action id of a step names.
func (h nexusHands) operationOf(t worker.Task, actionID string) (string, error) {
	id, err := nexus.ParseID(t.Step.Target)
	location, operation, ok := strings.Cut(actionID, "/")
	if err != nil || !ok {
		return "", damaged(t, fmt.Errorf("its action %s on %s names no operation", quoted(actionID, 80), quoted(t.Step.Target, 200)))
	}
	return h.operations.address("/subscriptions/" + id.Subscription + "/providers/Microsoft.NetworkCloud/locations/" + location + "/operationStatuses/" + operation), nil
}
