package tools

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/internal/evidence"
	"github.com/mde-ops/mde-ops/internal/evidence/blobs"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
)

// collectAsked is an approved request of Alice's.
func (o *office) collectAsked(tool, args string) approvals.Request {
	o.t.Helper()
	_, r := o.ask(tool, args)
	o.approve(r)
	if r.Plan.Risk == approvals.RiskExecute {
		o.carol(r)
	}
	return r
}

// keptOf are what is kept of a request.
func (o *office) keptOf(r approvals.Request) []evidence.Manifest {
	o.t.Helper()
	l, err := o.Evidence.List(o.t.Context(), evidence.Query{RequestID: r.ID})
	require.NoError(o.t, err)
	return l.Manifests
}

// collectStarted advances a request until its first step is being fetched.
func (o *office) collectStarted(id string) approvals.Request {
	o.t.Helper()
	for range 50 {
		o.push(id)
		r, err := o.Gate.Get(o.t.Context(), id)
		require.NoError(o.t, err)
		if strings.Contains(r.Steps[0].Message, "being fetched") {
			return r
		}
		o.Clock.Add(10 * time.Second)
	}
	o.t.Fatal("nothing is being fetched")
	return approvals.Request{}
}

func TestCollectingAgainAfterACrashKeepsOneManifestAndAsksForNoLink(t *testing.T) {
	t.Parallel()
	o := librarian(t)
	r := o.collectStarted(o.collectAsked("collect_package", `{"devices":["host01"],"reason":"x"}`).ID)
	task := task(r)
	first, err := o.performer.Collect(t.Context(), task, r.Steps[0].ActionID) // and then the process dies
	require.NoError(t, err)
	o.Tenant.Fail(mdesim.Fault{Path: "/api/machineactions/*/getPackageUri", Kind: mdesim.FaultStatus, Status: 403}) // for good
	require.Equal(t, "succeeded", o.finish(r.ID).Status)
	kept := o.keptOf(r)
	require.Len(t, kept, 1)
	require.Contains(t, first.Message, kept[0].ID)
	require.Contains(t, o.view(r.ID).Steps[0].Message, kept[0].ID)
}

func TestTwoFilesOfTheSameContentHaveAManifestEach(t *testing.T) {
	t.Parallel()
	o := librarian(t)
	d := o.Tenant.Device("host01")
	for _, name := range []string{`C:\a.txt`, `C:\b.txt`} {
		o.Tenant.PutDeviceFile(d.ID, name, []byte("same"))
	}
	r := o.collectAsked("get_file", `{"device":"host01","paths":["C:\\a.txt","C:\\b.txt"],"reason":"x"}`)
	require.Equal(t, "succeeded", o.finish(r.ID).Status)
	kept := o.keptOf(r)
	require.Len(t, kept, 2)
	require.ElementsMatch(t, []string{"a.txt", "b.txt"}, []string{kept[0].Name, kept[1].Name})
	for _, m := range kept {
		require.Equal(t, []string{"bob@contoso.com"}, m.Approvers)
		require.Equal(t, "alice@contoso.com", m.Requester)
		require.Equal(t, "0967115f2813a3541eaef77de9d9d5773f1c0c04314b0bbfe4ff3b3b1c55b5d5", m.Unpacked.SHA256, "the file's own hash")
	}
}

func TestADownloadThatBreaksLeavesNothingAndIsTriedAgain(t *testing.T) {
	t.Parallel()
	o := librarian(t)
	r := o.collectStarted(o.collectAsked("collect_package", `{"devices":["host01"],"reason":"x"}`).ID)
	h := o.performer.hands
	h.lent = broken{h.lent}
	_, err := collectPackages(t.Context(), h, task(r), r.Steps[0].ActionID)
	require.ErrorContains(t, err, "cut")
	var refused *worker.Refused
	require.False(t, errors.As(err, &refused))
	require.Empty(t, o.keptOf(r))
	require.Equal(t, "succeeded", o.finish(r.ID).Status)
}

// broken cuts every package after its first bytes.
type broken struct{ lender }

func (broken) DownloadInvestigationPackage(_ context.Context, _ string, w io.Writer, _ mdecore.DownloadOptions) (mdecore.DownloadResult, error) {
	_, err := w.Write([]byte("PK"))
	return mdecore.DownloadResult{}, errors.Join(errors.New("the connection was cut"), err)
}

func TestAStoreThatFailsEndsTheDownload(t *testing.T) {
	t.Parallel()
	o := librarian(t)
	r := o.collectStarted(o.collectAsked("collect_package", `{"devices":["host01"],"reason":"x"}`).ID)
	h := o.performer.hands
	var err error
	h.evidence, err = evidence.New(evidence.Options{
		Open:    func(context.Context) (evidence.Bucket, error) { return nil, errors.New("no space") },
		TempDir: t.TempDir(), Clock: o.Clock.Now,
	})
	require.NoError(t, err)
	_, err = collectPackages(t.Context(), h, task(r), r.Steps[0].ActionID)
	require.ErrorContains(t, err, "no space")
	_, err = applyPackage(t.Context(), h, task(r))
	var notSent *worker.NotSent
	require.ErrorAs(t, err, &notSent, "nothing is collected that could not be kept")
	require.Equal(t, 1, o.Tenant.Writes())
	small := blobs.Memory()
	h.evidence, err = evidence.New(evidence.Options{
		Open:    func(context.Context) (evidence.Bucket, error) { return small, nil },
		TempDir: t.TempDir(), Clock: o.Clock.Now, MaxSize: 10,
	})
	require.NoError(t, err)
	_, err = collectPackages(t.Context(), h, task(r), r.Steps[0].ActionID)
	require.ErrorContains(t, err, "more than 10 bytes", "and the download does not wait for ever")
	h.evidence = nil
	_, err = applyPackage(t.Context(), h, task(r))
	require.ErrorContains(t, err, "MDE_EVIDENCE")
}

func TestTheResultOfAnotherDevicesActionIsNeverKept(t *testing.T) {
	t.Parallel()
	o := librarian(t)
	r := o.collectStarted(o.collectAsked("collect_package", `{"devices":["host01"],"reason":"x"}`).ID)
	other := task(r)
	other.Step.Target = o.Tenant.Device("host02").ID
	_, err := o.performer.Collect(t.Context(), other, r.Steps[0].ActionID)
	var refused *worker.Refused
	require.ErrorAs(t, err, &refused)
	require.ErrorContains(t, err, "which is not what was sent")
	require.Empty(t, o.keptOf(r))
}

func TestALostAnswerOfAPackageIsFoundByItsTag(t *testing.T) {
	t.Parallel()
	o := librarian(t)
	o.Tenant.Fail(mdesim.Fault{Path: "/api/machines/*/collectInvestigationPackage", Kind: mdesim.FaultCutAfter})
	r := o.collectAsked("collect_package", `{"devices":["host01"],"reason":"x"}`)
	require.Equal(t, "succeeded", o.finish(r.ID).Status)
	require.Equal(t, 1, o.Tenant.Writes())
	require.Len(t, o.keptOf(r), 1)
}

func TestPackagesArePlannedOnlyWhereTheyCanBeHad(t *testing.T) {
	t.Parallel()
	o := librarian(t)
	many := make([]string, maxPackages+1)
	for i := range many {
		many[i] = fmt.Sprintf(`"host%02d"`, i+1)
	}
	o.refused("collect_package", `{"devices":[`+strings.Join(many, ",")+`],"reason":"x"}`, approvals.KindInvalid, "at most 50")
	r := o.collectAsked("collect_package", `{"devices":["host01"],"reason":"x"}`)
	o.push(r.ID)
	_, err := o.call("collect_package", `{"devices":["host01"],"reason":"again, other"}`)
	require.Error(t, err)
	require.ErrorContains(t, err, "already has an open action")
}

// exportStarted is a request for an export that is being fetched, and its task.
func exportStarted(t *testing.T) (*office, approvals.Request) {
	t.Helper()
	o := librarian(t)
	return o, o.collectStarted(o.collectAsked("export_assessment", `{"kind":"software","reason":"x"}`).ID)
}

func TestAnExportThatIsCutIsNotKept(t *testing.T) {
	t.Parallel()
	o, r := exportStarted(t)
	o.Tenant.Fail(mdesim.Fault{Path: "/storage/**", Kind: mdesim.FaultTruncated, Times: -1})
	_, err := o.performer.Collect(t.Context(), task(r), r.Steps[0].ActionID)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "sig=")
	require.Empty(t, o.keptOf(r))
	o.Tenant.ClearFaults()
	require.Equal(t, "succeeded", o.finish(r.ID).Status, "the next try keeps all of it")
}

func TestAnExportIsRefusedWhereItCannotBeKept(t *testing.T) {
	t.Parallel()
	o, r := exportStarted(t)
	h := o.performer.hands
	h.evidence = nil
	_, err := collectExport(t.Context(), h, task(r), r.Steps[0].ActionID)
	var refused *worker.Refused
	require.ErrorAs(t, err, &refused, "without a store nothing is fetched")
	_, err = applyExport(t.Context(), h, task(r))
	require.ErrorAs(t, err, &refused)
	other := task(r)
	other.Step.Target = "passwords"
	_, err = o.performer.Collect(t.Context(), other, r.Steps[0].ActionID)
	require.ErrorAs(t, err, &refused, "only what Defender exports")
}
