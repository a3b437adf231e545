package chaos

import (
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/mde-ops/mde-ops/internal/failpoint"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// load is work for two workers that die at some points.
type load struct {
	points []string
	// inFlight is how many requests are open at a time; ask makes some more.
	inFlight int
	policy   string // text of the policy file; empty for the default policy
	ask      func(*testing.T, *house)
	// check demands of the verdict what this load is there for.
	check func(*testing.T, verdict)
}

// run has requests in flight in two workers that die at each point in turn, again and again, and judges what came of it.
func (l load) run(tr *trial) {
	t := tr.T
	k := &killer{t: t}
	tenant := &mdesim.Tenant{Devices: 10, OnAccepted: k.accepted}
	for n := range 4000 {
		tenant.FailingDevices = append(tenant.FailingDevices, failing(n))
	}
	var more []string
	if l.policy != "" {
		more = append(more, "MDE_POLICY_FILE="+policyFile(t, l.policy))
	}
	h := newHouse(t, tr.bin, tr.store.url(t), tenant, more...)
	k.house = h
	h.ledger.whenTaken(k.taken)
	tend := func() { resume(t, h) }
	for _, point := range l.points {
		k.begin(point, tr.kills)
		for k.count() < tr.kills {
			for len(h.live(t)) < l.inFlight {
				l.ask(t, h)
			}
			if point != failpoint.AfterAsking { // who answers at once hides that the question is put again
				tend()
			}
			k.round()
		}
		k.stop()
		tr.count(point, k.count())
	}
	healthy := h.spawn(t, mdesim.DefaultAppID, "")
	l.ask(t, h) // some of what comes to its end was never in a dead process's hands
	rest(t, h, healthy, tend)
	l.check(t, tr.verdict(h, healthy))
}

// killer keeps two workers running that die at a point.
type killer struct {
	t     *testing.T
	house *house

	mu      sync.Mutex
	point   string
	want    int
	kills   int
	workers [2]*process
	began   [2]time.Time
	asked   [2]bool // to end
	ended   bool
}

func (k *killer) begin(point string, want int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.point, k.want, k.kills, k.ended = point, want, 0, false
}

func (k *killer) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.kills
}

// round (re)starts dead workers and waits for the next death, or a moment.
func (k *killer) round() {
	workers := k.restart()
	timeout := time.NewTimer(300 * time.Millisecond)
	defer timeout.Stop()
	select {
	case <-ended(workers[0]):
	case <-ended(workers[1]):
	case <-timeout.C:
	}
}

func (k *killer) restart() [2]*process {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, application := range applications() {
		if w := k.workers[i]; w != nil && k.gone(i) {
			k.workers[i] = nil
		}
		if k.workers[i] == nil && k.kills < k.want {
			k.workers[i] = k.house.spawn(k.t, application, k.failpoint())
			k.began[i], k.asked[i] = time.Now(), false
		}
	}
	return k.workers
}

// gone reports whether a worker has died, and counts that. A checkpoint is made at the start and at an orderly end, so
// that a worker which is to die after one is asked to end; another one may have been faster with it.
func (k *killer) gone(i int) bool {
	w := k.workers[i]
	if k.point == failpoint.AfterCheckpoint {
		if !k.asked[i] && time.Since(k.began[i]) > time.Second && w.log.contains("the worker runs") {
			_ = w.cmd.Process.Signal(os.Interrupt) // once, because a second one ends it at once; it may have ended meanwhile
			k.asked[i] = true
		}
		select {
		case <-w.done:
			if w.cmd.ProcessState.Success() {
				return true
			}
		default:
		}
	}
	if !w.killed(k.t) {
		return false
	}
	k.kills++
	return true
}

// applications are what the two workers write as.
func applications() [2]string { return [2]string{mdesim.DefaultAppID, secondWriter} }

func ended(p *process) <-chan struct{} {
	if p == nil {
		return nil
	}
	return p.done
}

// failpoint is what the worker's environment names; a lost answer is made by the tenant or the collector instead. Now and
// then a point is passed once or twice before.
func (k *killer) failpoint() string {
	if k.point == failpoint.PostSentAnswerLost || k.point == failpoint.DuringExport && k.house.ledger.collector != nil {
		return ""
	}
	if k.point == failpoint.BetweenSteps || k.point == failpoint.DuringFollow {
		return k.point + ":" + strconv.Itoa(1+k.kills%3)
	}
	return k.point
}

// accepted runs in the tenant after a write was carried out and before it is answered: it kills its sender.
func (k *killer) accepted(e mdesim.Effect) {
	sender := 0
	if e.Requestor == "worker two" {
		sender = 1
	}
	k.strike(failpoint.PostSentAnswerLost, sender)
}

// taken runs in the collector after rows were taken and before that is answered: it kills their sender.
func (k *killer) taken(application string) {
	sender := 0
	if application == secondWriter {
		sender = 1
	}
	k.strike(failpoint.DuringExport, sender)
}

// strike kills a worker when that is the point of now.
func (k *killer) strike(point string, sender int) {
	k.mu.Lock()
	w := k.workers[sender]
	meant := k.point == point && !k.ended
	k.mu.Unlock()
	if w != nil && meant {
		w.kill()
	}
}

// stop ends the dying workers; what they leave behind is for others.
func (k *killer) stop() {
	k.mu.Lock()
	k.ended = true
	workers := k.workers
	k.workers = [2]*process{}
	k.mu.Unlock()
	for _, w := range workers {
		if w != nil {
			w.kill()
		}
	}
}
