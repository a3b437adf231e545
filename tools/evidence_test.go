package tools

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/approvals/gate"
	"github.com/mde-ops/mde-ops/approvals/store"
	"github.com/mde-ops/mde-ops/approvals/worker"
	"github.com/mde-ops/mde-ops/internal/evidence"
	"github.com/mde-ops/mde-ops/internal/evidence/blobs"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools/toolstest"
)

// collected puts evidence of host01.
func (w *world) collected(content string) evidence.Manifest {
	w.t.Helper()
	d := w.Tenant.Device("host01")
	m, err := w.Evidence.Put(w.t.Context(), evidence.Meta{
		DeviceID: d.ID, DeviceName: d.ComputerDNSName, ActionType: "CollectInvestigationPackage", ActionID: "a1", RequestID: "ABCDEFGH",
		Requester: "carol@contoso.com", Approvers: []string{"bob@contoso.com"}, CollectedAt: w.Clock.Now(), Name: "../pack\u202eage.zip",
	}, strings.NewReader(content))
	require.NoError(w.t, err)
	return m
}

// granted has a request to read the evidence approved and performed.
func (o *office) granted(m evidence.Manifest) approvals.Request {
	o.t.Helper()
	_, r := o.ask("fetch_evidence", fmt.Sprintf(`{"evidence_id":%q,"reason":"triage"}`, m.ID))
	o.approve(r)
	require.Equal(o.t, "succeeded", o.finish(r.ID).Status)
	return r
}

func readingOf(r approvals.Request, m evidence.Manifest, more string) string {
	return fmt.Sprintf(`{"request_id":%q,"evidence_id":%q%s}`, r.ID, m.ID, more)
}

// rows counts the audit rows of a type.
func (w *world) rows(kind string) (details []string) {
	w.t.Helper()
	events, err := w.DB.Events(w.t.Context(), store.Query{})
	require.NoError(w.t, err)
	for _, e := range events {
		if e.Type == kind {
			details = append(details, e.Actor+": "+e.Detail)
		}
	}
	return details
}

func TestEvidenceIsListedWithoutItsContent(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	m := w.collected("SECRET CONTENT")
	for _, args := range []string{`{}`, `{"device":"host01"}`, fmt.Sprintf(`{"device":%q}`, strings.ToUpper(m.DeviceID)), `{"request_id":"abcdefgh","since":"1h","limit":1}`} {
		res := w.ok("list_evidence", args)
		out := res.Output.(listEvidenceOut)
		require.Len(t, out.Evidence, 1, args)
		require.Equal(t, m.SHA256, out.Evidence[0].SHA256)
		require.Equal(t, "package.zip", out.Evidence[0].Name)
		b, err := json.Marshal(res)
		require.NoError(t, err)
		require.NotContains(t, string(b), "SECRET CONTENT")
	}
	require.Empty(t, w.ok("list_evidence", `{"device":"host02"}`).Output.(listEvidenceOut).Evidence)
	_, err := w.call("list_evidence", `{"cursor":"A"}`)
	require.Error(t, err)
}

func TestContentIsReadOnlyAfterItWasApprovedAndEveryReadingIsAudited(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	m := o.collected("line\n\u202etwo")
	_, r := o.ask("fetch_evidence", fmt.Sprintf(`{"evidence_id":%q,"reason":"triage"}`, m.ID))
	require.Equal(t, approvals.RiskCollect, r.Plan.Risk)
	require.Equal(t, "evidence", r.Plan.Targets[0].Kind)
	_, err := o.call("read_evidence", readingOf(r, m, ""))
	require.Equal(t, approvals.KindDenied, approvals.KindOf(err))
	require.ErrorContains(t, err, "is pending")
	before := o.Tenant.Writes()
	o.approve(r)
	require.Equal(t, "succeeded", o.finish(r.ID).Status)
	require.Equal(t, before, o.Tenant.Writes(), "the tenant is not touched")
	require.Empty(t, o.rows(gate.EventEvidenceRead))
	out := o.ok("read_evidence", readingOf(r, m, "")).Output.(readEvidenceOut)
	require.Equal(t, "line\n<U+202E>two", out.Text)
	require.Zero(t, out.NextOffset)
	out = o.ok("read_evidence", readingOf(r, m, `,"offset":2,"limit":3,"encoding":"base64"`)).Output.(readEvidenceOut)
	require.Equal(t, base64.StdEncoding.EncodeToString([]byte("ne\n")), out.Base64)
	require.EqualValues(t, 5, out.NextOffset)
	rows := o.rows(gate.EventEvidenceRead)
	require.Len(t, rows, 2)
	require.Equal(t, "alice@contoso.com: up to 3 bytes from byte 2 of evidence "+m.ID, rows[1])
	report, err := o.Gate.VerifyAudit(t.Context())
	require.NoError(t, err)
	require.True(t, report.OK(), report.Faults)
}

func TestOnlyTheVerifiedRequesterReadsAndForADayOnly(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	m, other := o.collected("hello"), o.collected("other")
	r := o.granted(m)
	read := func(who approvals.Requester, args string) error {
		_, err := o.d.Call(t.Context(), Call{Tool: "read_evidence", Args: json.RawMessage(args), Requester: who})
		return err
	}
	configured, bob := toolstest.Alice(), approvals.Requester{Person: approvals.Person{ID: "bob@contoso.com"}, Verified: true, Via: approvals.ViaMCP}
	configured.Verified = false
	for name, err := range map[string]error{
		"an approver": read(bob, readingOf(r, m, "")), "unproved": read(configured, readingOf(r, m, "")),
		"other evidence": read(toolstest.Alice(), readingOf(r, other, "")),
	} {
		require.Equal(t, approvals.KindDenied, approvals.KindOf(err), name)
	}
	require.Equal(t, approvals.KindNotFound, approvals.KindOf(read(toolstest.Alice(), readingOf(approvals.Request{ID: "ZZZZZZZZ"}, m, ""))))
	_, isolation := o.ask("isolate_devices", `{"devices":["host02"],"reason":"x"}`)
	require.Equal(t, approvals.KindDenied, approvals.KindOf(read(toolstest.Alice(), readingOf(isolation, m, ""))))
	require.Empty(t, o.rows(gate.EventEvidenceRead))
	require.Len(t, o.rows(approvals.EventRefused), 2, "who may not is in the audit")
	require.NoError(t, read(toolstest.Alice(), readingOf(r, m, "")))
	o.Clock.Add(24 * time.Hour)
	require.ErrorContains(t, read(toolstest.Alice(), readingOf(r, m, "")), "is over")
	require.Len(t, o.rows(gate.EventEvidenceRead), 1)
}

// Only who asked may read, so that a second person must not be attached to the first one's request.
func TestTwoPeopleAskForTheSameEvidenceEachForThemselves(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	m := o.collected("hello")
	args := json.RawMessage(fmt.Sprintf(`{"evidence_id":%q,"reason":"x"}`, m.ID))
	dora := approvals.Requester{Person: approvals.Person{ID: "dora@contoso.com"}, Verified: true, Via: approvals.ViaMCP}
	_, first := o.ask("fetch_evidence", string(args))
	res, err := o.d.Call(t.Context(), Call{Tool: "fetch_evidence", Args: args, Requester: dora})
	require.NoError(t, err)
	require.NotEqual(t, first.ID, res.Request.ID)
	require.NotEqual(t, first.Key, res.Request.Key)
}

// An answer that the audit does not hold must not exist.
func TestWithoutTheAuditNoBytes(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	m := o.collected("hello")
	r := o.granted(m)
	require.NoError(t, o.DB.Close())
	res, err := o.call("read_evidence", readingOf(r, m, ""))
	require.Equal(t, approvals.KindStore, approvals.KindOf(err))
	require.Nil(t, res.Output)
}

func TestAnAuditThatCanOnlyBeReadGivesNoBytes(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	m := o.collected("hello")
	r := o.granted(m)
	o.exec(`CREATE TRIGGER full BEFORE INSERT ON audit_event BEGIN SELECT RAISE(ABORT, 'disk full'); END`)
	res, err := o.call("read_evidence", readingOf(r, m, ""))
	require.Equal(t, approvals.KindStore, approvals.KindOf(err))
	require.Nil(t, res.Output)
}

// A state that was written straight into the database opens nothing.
func TestAStateWithoutItsAuditOpensNothing(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	m := o.collected("hello")
	_, r := o.ask("fetch_evidence", fmt.Sprintf(`{"evidence_id":%q,"reason":"triage"}`, m.ID))
	o.exec(fmt.Sprintf(`UPDATE requests SET state = 'succeeded', finished_ms = %d, decided_ms = %d WHERE id = '%s'`,
		o.Clock.Now().UnixMilli(), o.Clock.Now().UnixMilli(), r.ID))
	_, err := o.call("read_evidence", readingOf(r, m, ""))
	require.Equal(t, approvals.KindTampering, approvals.KindOf(err), err)
	require.Empty(t, o.rows(gate.EventEvidenceRead))
}

// rewritten puts a store over the same evidence in place of the house's, so that a test can alter what lies in it.
func (o *office) rewritten(t *testing.T) (evidence.Bucket, evidence.Manifest) {
	t.Helper()
	bucket := blobs.Memory()
	var err error
	o.Evidence, err = evidence.New(evidence.Options{Open: func(context.Context) (evidence.Bucket, error) { return bucket, nil }, Clock: o.Clock.Now, TempDir: t.TempDir()})
	require.NoError(t, err)
	o.d.house.evidence, o.performer.hands.evidence = o.Evidence, o.Evidence
	return bucket, o.collected("hello")
}

func TestAlteredEvidenceIsNeitherGrantedNorRead(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	bucket, m := o.rewritten(t)
	r := o.granted(m)
	_, late := o.ask("fetch_evidence", fmt.Sprintf(`{"evidence_id":%q,"reason":"again"}`, m.ID))
	require.NoError(t, bucket.Write(t.Context(), "content/"+m.SHA256, strings.NewReader("hallo"), false))
	_, err := o.call("read_evidence", readingOf(r, m, ""))
	require.Equal(t, approvals.KindTampering, approvals.KindOf(err))
	o.approve(late)
	require.Equal(t, "failed", o.finish(late.ID).Status)
}

// A manifest that leads to other content is not the one that people approved.
func TestAnApprovalIsForOneManifest(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	bucket, m := o.rewritten(t)
	r := o.granted(m)
	other := o.collected("other content")
	forged := other
	forged.ID = m.ID
	text, err := json.Marshal(forged)
	require.NoError(t, err)
	require.NoError(t, bucket.Write(t.Context(), "manifest/"+m.ID+".json", strings.NewReader(string(text)), false))
	_, err = o.call("read_evidence", readingOf(r, m, ""))
	require.Equal(t, approvals.KindTampering, approvals.KindOf(err))
	job := task(r)
	_, found, err := o.performer.Find(t.Context(), job, time.Time{})
	require.NoError(t, err)
	require.False(t, found)
	_, err = o.performer.Apply(t.Context(), job)
	var refused *worker.Refused
	require.ErrorAs(t, err, &refused)
}

func TestEvidenceThatIsNotThereIsNotAskedFor(t *testing.T) {
	t.Parallel()
	w := open(t, toolstest.Options{})
	w.refused("fetch_evidence", `{"evidence_id":"00000000000000000000","reason":"x"}`, approvals.KindNotFound, "no such evidence")
	w.refused("fetch_evidence", `{"evidence_id":"../../x","reason":"x"}`, approvals.KindInvalid)
	m := w.collected("hello")
	w.Clock.Add(100 * 24 * time.Hour)
	_, err := w.Evidence.Sweep(t.Context(), 24*time.Hour)
	require.NoError(t, err)
	w.refused("fetch_evidence", fmt.Sprintf(`{"evidence_id":%q,"reason":"x"}`, m.ID), approvals.KindNotFound, "was removed")
	require.NotEmpty(t, w.ok("list_evidence", `{}`).Output.(listEvidenceOut).Evidence[0].Removed)
	none, err := NewDispatcher(Options{Reader: w.Reader, Gate: w.Gate, Tenant: mdesim.DefaultTenantID})
	require.NoError(t, err)
	for tool, args := range map[string]string{
		"list_evidence": `{}`, "fetch_evidence": fmt.Sprintf(`{"evidence_id":%q,"reason":"x"}`, m.ID), "read_evidence": `{"request_id":"ABCDEFGH","evidence_id":"x"}`,
	} {
		_, err := none.Call(t.Context(), Call{Tool: tool, Args: json.RawMessage(args), Requester: toolstest.Alice()})
		require.ErrorContains(t, err, "no evidence store", tool)
	}
}

func TestAStoreThatIsDownIsTriedAgainAndNotShown(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	m := o.collected("hello")
	_, r := o.ask("fetch_evidence", fmt.Sprintf(`{"evidence_id":%q,"reason":"x"}`, m.ID))
	down, err := evidence.New(evidence.Options{Open: func(context.Context) (evidence.Bucket, error) { return nil, errors.New("account SECRET is down") }})
	require.NoError(t, err)
	o.performer.hands.evidence, o.d.house.evidence = down, down
	_, err = o.performer.Apply(t.Context(), task(r))
	var unsent *worker.NotSent
	require.ErrorAs(t, err, &unsent)
	_, err = o.call("list_evidence", `{}`)
	require.Equal(t, approvals.KindNoAnswer, approvals.KindOf(err))
	require.NotContains(t, err.Error(), "SECRET")
}

func TestTextIsGivenInWholeCharacters(t *testing.T) {
	t.Parallel()
	o := staffed(t)
	m := o.collected("aä€😀b")
	r := o.granted(m)
	var got strings.Builder
	for offset := int64(0); ; {
		out := o.ok("read_evidence", readingOf(r, m, fmt.Sprintf(`,"offset":%d,"limit":5`, offset))).Output.(readEvidenceOut)
		_, _ = io.WriteString(&got, out.Text)
		if offset = out.NextOffset; offset == 0 {
			break
		}
	}
	require.Equal(t, "aä€😀b", got.String())
	bin := o.collected("\xff\x00\xfe")
	r = o.granted(bin)
	_, err := o.call("read_evidence", readingOf(r, bin, ""))
	require.ErrorContains(t, err, "base64")
	require.Zero(t, o.ok("read_evidence", readingOf(r, bin, `,"offset":99,"encoding":"base64"`)).Output.(readEvidenceOut).Count)
}

// exec writes into the database behind the program's back.
func (w *world) exec(query string) {
	w.t.Helper()
	db, err := sql.Open("sqlite", w.File)
	require.NoError(w.t, err)
	defer func() { _ = db.Close() }()
	_, err = db.ExecContext(w.t.Context(), query)
	require.NoError(w.t, err)
}
