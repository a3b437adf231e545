package mcpserver

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/client"
	"github.com/mark3labs/mcp-go/client/transport"
	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
	"github.com/mde-ops/mde-ops/mdecore"
	"github.com/mde-ops/mde-ops/mdecore/mdesim"
	"github.com/mde-ops/mde-ops/tools"
)

// quick has changes noticed at once, and nothing looked at without one.
func quick(o *Options) { o.WatchEvery, o.PollEvery = time.Millisecond, time.Hour }

// listener is a client that subscribes.
type listener struct {
	*client.Client
	modern bool
	told   chan mcp.JSONRPCNotification
	acked  chan struct{}
	stop   context.CancelFunc
}

// listeners are connections whose clients hear what the server says of itself.
func listeners() []connection {
	all := connections()
	for i, via := range all {
		if via.name == "http legacy" {
			all[i].connect = func(t *testing.T, s *Server, more ...client.ClientOption) *client.Client {
				srv := httptest.NewServer(s.Handler())
				t.Cleanup(srv.Close)
				tr, err := transport.NewStreamableHTTP(srv.URL+"/mcp", hearing())
				require.NoError(t, err)
				return start(t, client.NewClient(tr, append([]client.ClientOption{client.WithProtocolVersion("2025-11-25")}, more...)...))
			}
		}
	}
	return all
}

func listen(t *testing.T, c *client.Client) *listener {
	t.Helper()
	l := &listener{Client: c, told: make(chan mcp.JSONRPCNotification, 100), acked: make(chan struct{}, 10), stop: func() {}}
	c.OnNotification(func(n mcp.JSONRPCNotification) {
		switch n.Method {
		case mcp.MethodNotificationResourceUpdated:
			l.told <- n
		case mcp.MethodNotificationSubscriptionsAcknowledged:
			l.acked <- struct{}{}
		}
	})
	return l
}

func listenVia(t *testing.T, via connection, s *Server) *listener {
	t.Helper()
	l := listen(t, via.connect(t, s))
	greet(t, l.Client)
	l.modern = via.version == mcp.LATEST_PROTOCOL_VERSION
	return l
}

// subscribe subscribes as the client's era has it.
func (l *listener) subscribe(t *testing.T, uris ...string) error {
	t.Helper()
	if !l.modern {
		for _, uri := range uris {
			//nolint:staticcheck // it is what older clients do
			if err := l.Subscribe(t.Context(), mcp.SubscribeRequest{Params: mcp.SubscribeParams{URI: uri}}); err != nil {
				return err
			}
		}
		return nil
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Listen(ctx, mcp.SubscriptionFilter{ResourceSubscriptions: uris}) }()
	l.stop = stop
	t.Cleanup(stop)
	select {
	case err := <-ended:
		return err
	case <-l.acked:
		return nil
	}
}

// unsubscribe ends what subscribe began.
func (l *listener) unsubscribe(t *testing.T, uri string) {
	t.Helper()
	if l.modern {
		l.stop()
		return
	}
	//nolint:staticcheck // it is what older clients do
	require.NoError(t, l.Unsubscribe(t.Context(), mcp.UnsubscribeRequest{Params: mcp.UnsubscribeParams{URI: uri}}))
}

// heard waits until the client was told of a change of uri.
func (l *listener) heard(t *testing.T, uri string) mcp.JSONRPCNotification {
	t.Helper()
	select {
	case n := <-l.told:
		require.Equal(t, uri, n.Params.AdditionalFields["uri"])
		return n
	case <-time.After(20 * time.Second):
		require.Fail(t, "nobody was told of "+uri)
	}
	return mcp.JSONRPCNotification{}
}

func countLive(s *Server) int {
	s.watches.mu.Lock()
	defer s.watches.mu.Unlock()
	return len(s.watches.live)
}

func countSubs(s *Server) int {
	s.watches.mu.Lock()
	defer s.watches.mu.Unlock()
	return len(s.watches.subs)
}

func countGone(s *Server) int {
	s.watches.mu.Lock()
	defer s.watches.mu.Unlock()
	return len(s.watches.gone)
}

// settled waits until nothing is watched any more, and nothing runs for it.
func settled(t *testing.T, s *Server) {
	t.Helper()
	require.Eventually(t, func() bool { return countLive(s)+countSubs(s) == 0 }, 20*time.Second, time.Millisecond, "something is still watched")
	require.Eventually(t, func() bool {
		var all strings.Builder
		require.NoError(t, pprof.Lookup("goroutine").WriteTo(&all, 1))
		return !strings.Contains(all.String(), "(*watch).")
	}, 20*time.Second, 10*time.Millisecond, "something still runs")
}

func TestWhoSubscribedIsToldOfEveryChangeUntilTheEnd(t *testing.T) {
	for _, via := range listeners() {
		t.Run(via.name, func(t *testing.T) {
			w := open(t, quick)
			l := listenVia(t, via, w.server)
			isolate(t, l.Client)
			const uri = "request://REQ00001"
			require.NoError(t, l.subscribe(t, uri))
			for _, to := range []string{"approved", "running", "sending", "cancelled"} {
				w.carry(t, to)
				n := l.heard(t, uri)
				if l.modern {
					require.Contains(t, n.Params.Meta, mcp.MetaKeySubscriptionID, "it says whose it is")
				}
			}
			settled(t, w.server)
			require.Empty(t, l.told, "once for each change")
			if !l.modern {
				require.NoError(t, l.subscribe(t, uri), "what has ended may be subscribed to")
				settled(t, w.server)
			}
		})
	}
}

func TestSubscriptionsEndWithWhatTheyBelongTo(t *testing.T) {
	for _, via := range listeners() {
		t.Run(via.name, func(t *testing.T) {
			for name, end := range map[string]func(t *testing.T, l *listener){
				"unsubscribed": func(t *testing.T, l *listener) { l.unsubscribe(t, "request://REQ00001") },
				"closed":       func(t *testing.T, l *listener) { require.NoError(t, l.Close()) },
			} {
				t.Run(name, func(t *testing.T) {
					w := open(t, quick)
					l := listenVia(t, via, w.server)
					isolate(t, l.Client)
					require.NoError(t, l.subscribe(t, "request://REQ00001"))
					require.Equal(t, 1, countSubs(w.server))
					end(t, l)
					settled(t, w.server)
					w.carry(t, "approved")
					require.Empty(t, l.told)
				})
			}
		})
	}
}

func TestWhatCanNotBeReadCanNotBeSubscribedTo(t *testing.T) {
	for _, via := range listeners() {
		t.Run(via.name, func(t *testing.T) {
			w := open(t, quick)
			l := listenVia(t, via, w.server)
			isolate(t, l.Client)
			for uri, text := range map[string]string{
				"request://nope": "is not a request id", "request://REQ99999": "REQ99999", "mde://x": "there are: request://ID",
				"alert://da0_0": "da0_0", "request://": "names nothing",
			} {
				require.ErrorContains(t, l.subscribe(t, uri), text, uri)
				if l.modern {
					require.ErrorContains(t, l.subscribe(t, "request://REQ00001", uri), text, "all or nothing")
				}
			}
			settled(t, w.server)
			var many []string
			for i := range sessionSubs + 1 {
				many = append(many, fmt.Sprintf("device://host01?%d", i)) // refused by the tool
			}
			require.Error(t, l.subscribe(t, many...))
			settled(t, w.server)
		})
	}
}

// Each looks with their own rights: who may not read something is not told of it, and what others may do does not help.
func TestAnothersSubscriptionHelpsNobody(t *testing.T) {
	for name, era := range eras() {
		t.Run(name, func(t *testing.T) {
			w := open(t, quick, func(o *Options) {
				o.Varies = true
				plain := o.Requester
				o.Requester = func(ctx context.Context, agent string) approvals.Requester {
					r := plain(ctx, agent)
					p, _ := PrincipalFrom(ctx)
					r.ID = p.Key + "@contoso.com"
					return r
				}
			})
			srv := httptest.NewServer(w.server.HTTP(HTTPOptions{Authenticate: roles}).Handler())
			t.Cleanup(srv.Close)
			var both []*listener
			for _, who := range []string{"all", "few"} {
				tr, err := transport.NewStreamableHTTP(srv.URL+"/mcp", httpOptions(who, era)...)
				require.NoError(t, err)
				l := listen(t, start(t, client.NewClient(tr, era...)))
				greet(t, l.Client)
				l.modern = era == nil
				both = append(both, l)
			}
			all, few := both[0], both[1]
			isolate(t, all.Client)
			require.NoError(t, all.subscribe(t, "request://REQ00001"))
			require.ErrorContains(t, few.subscribe(t, "request://REQ00001"), "there is no resource")
			w.server.watches.mu.Lock()
			for key := range w.server.watches.live {
				require.Equal(t, watchKey{uri: "request://REQ00001", principal: "all", person: "all@contoso.com", agent: key.agent}, key)
			}
			w.server.watches.mu.Unlock()
			w.carry(t, "approved")
			all.heard(t, "request://REQ00001")
			require.Empty(t, few.told)
			alert := "alert://" + w.alert(t)
			require.NoError(t, few.subscribe(t, alert))
			require.Equal(t, 2, countLive(w.server))
			all.unsubscribe(t, "request://REQ00001")
			few.unsubscribe(t, alert)
			settled(t, w.server)
		})
	}
}

func httpOptions(who string, era []client.ClientOption) []transport.StreamableHTTPCOption {
	options := []transport.StreamableHTTPCOption{transport.WithHTTPHeaders(map[string]string{"X-Test": who})}
	if era != nil {
		options = append(options, hearing())
	}
	return options
}

// hearing has an older client listen to what the server says of itself.
func hearing() transport.StreamableHTTPCOption {
	return transport.WithContinuousListening() //nolint:staticcheck // it is what older clients do
}

// What Defender does not announce is looked at from time to time.
func TestAnAlertIsLookedAtFromTimeToTime(t *testing.T) {
	for _, via := range listeners() {
		t.Run(via.name, func(t *testing.T) {
			w := open(t, func(o *Options) { o.WatchEvery, o.PollEvery = time.Millisecond, 10*time.Millisecond })
			l := listenVia(t, via, w.server)
			id := w.alert(t)
			require.NoError(t, l.subscribe(t, "alert://"+id))
			time.Sleep(100 * time.Millisecond) // looks that find nothing new
			require.Empty(t, l.told)
			_, err := w.Writer.UpdateAlert(t.Context(), id, mdecore.UpdateAlertRequest{Comment: "mine"})
			require.NoError(t, err)
			l.heard(t, "alert://"+id)
		})
	}
}

// A request that moves has what it acts on and what it collected looked at.
func TestARequestMovesItsDeviceAndItsEvidence(t *testing.T) {
	for _, via := range listeners() {
		t.Run(via.name, func(t *testing.T) {
			w := open(t, quick)
			l := listenVia(t, via, w.server)
			isolate(t, l.Client)
			device := w.Tenant.Device(mdesim.NameHost).ID
			require.NoError(t, l.subscribe(t, "device://host01", "evidence://REQ00001", "request://REQ00001"))
			require.True(t, w.Tenant.UpdateDevice(device, func(m *mdesim.Machine) { m.HealthStatus = "Inactive" }))
			w.keep(t, "REQ00001")
			w.carry(t, "approved")
			heard := map[any]bool{}
			for range 3 {
				select {
				case n := <-l.told:
					heard[n.Params.AdditionalFields["uri"]] = true
				case <-time.After(20 * time.Second):
					require.Fail(t, "not everything was told", "%v", heard)
				}
			}
			require.Equal(t, map[any]bool{"device://host01": true, "evidence://REQ00001": true, "request://REQ00001": true}, heard)
			w.carry(t, "cancelled")
			l.heard(t, "request://REQ00001")
			require.Empty(t, l.told, "nothing else has changed")
		})
	}
}

// shelf is a caller whose one resource changes when it is told to.
type shelf struct {
	mu    sync.Mutex
	value string
	err   error
	looks int
	waits int
	seen  map[string]bool // who looked: as the context says, and as the call says
}

func (s *shelf) Call(ctx context.Context, c tools.Call) (tools.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, _ := PrincipalFrom(ctx)
	s.seen[p.Key+" "+c.Requester.ID] = true
	if strings.Contains(string(c.Args), "wait_seconds") {
		s.waits++
		return tools.Result{}, s.err // as of a gate that is closed
	}
	s.looks++
	return tools.Result{Output: map[string]any{"status": s.value}}, s.err
}

func (s *shelf) set(value string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.value, s.err = value, err
}

func (s *shelf) count() (looks, waits int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	looks, waits = s.looks, s.waits
	s.looks, s.waits = 0, 0
	return looks, waits
}

// bench is a server over a shelf, in a bubble, with sessions that are told directly.
type bench struct {
	t     *testing.T
	s     *Server
	shelf *shelf
}

func newBench(t *testing.T, all []tools.Tool) *bench {
	t.Helper()
	on := &shelf{value: "running", seen: map[string]bool{}}
	s, err := New(Options{
		Tools: all, Dispatcher: Ready(on), Version: "test",
		Requester: func(ctx context.Context, _ string) approvals.Requester {
			p, _ := PrincipalFrom(ctx)
			return p.Requester
		},
	})
	require.NoError(t, err)
	return &bench{t: t, s: s, shelf: on}
}

func (b *bench) session(id string) *server.InProcessSession {
	b.t.Helper()
	session := server.NewInProcessSession(id, nil)
	session.Initialize()
	require.NoError(b.t, b.s.mcp.RegisterSession(b.t.Context(), session))
	return session
}

// subscribe subscribes as an older client, and returns why it was refused.
func (b *bench) subscribe(session server.ClientSession, p Principal, uri string) string {
	b.t.Helper()
	ctx := b.s.mcp.WithContext(WithPrincipal(b.t.Context(), p), session)
	answer := b.s.mcp.HandleMessage(ctx, fmt.Appendf(nil, `{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":%q}}`, uri))
	if failed, ok := answer.(mcp.JSONRPCError); ok {
		return failed.Error.Message
	}
	return ""
}

func inBubble(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	all := catalogue(t)
	synctest.Test(t, func(t *testing.T) { test(t, newBench(t, all)) })
}

func TestOneLookServesAllOfOnePrincipal(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		one, two, other := b.session("one"), b.session("two"), b.session("other")
		alice, bob := Principal{Key: "alice"}, Principal{Key: "bob"}
		require.Empty(t, b.subscribe(one, alice, "alert://1"))
		require.Empty(t, b.subscribe(one, alice, "alert://1"), "again changes nothing")
		require.Empty(t, b.subscribe(two, alice, "alert://1"))
		b.shelf.count()
		time.Sleep(time.Hour)
		looks, _ := b.shelf.count()
		require.InDelta(t, 53, looks, 3, "about one a minute")
		require.Empty(t, b.subscribe(other, bob, "alert://1"))
		b.shelf.count()
		b.shelf.set("resolved", nil)
		time.Sleep(2 * time.Minute)
		for _, session := range []*server.InProcessSession{one, two, other} {
			require.Len(t, session.ClientNotifications(), 1)
		}
		for _, session := range []*server.InProcessSession{one, two, other} {
			b.s.mcp.UnregisterSession(t.Context(), session.SessionID())
		}
		synctest.Wait()
		b.shelf.count()
		time.Sleep(time.Hour)
		looks, _ = b.shelf.count()
		require.Zero(t, looks, "nobody is there")
		require.Zero(t, countGone(b.s))
	})
}

func TestLookingIsSlowerWhileItFails(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		session := b.session("one")
		require.Empty(t, b.subscribe(session, Principal{}, "device://host01"))
		b.shelf.count()
		b.shelf.set("", approvals.Refuse(approvals.KindNoAnswer, nil, "429"))
		time.Sleep(4 * time.Hour)
		looks, _ := b.shelf.count()
		require.Less(t, looks, 25, "every quarter of an hour at last")
		require.Empty(t, session.ClientNotifications(), "an error is no change")
		b.shelf.set("new", nil)
		time.Sleep(20 * time.Minute)
		require.Len(t, session.ClientNotifications(), 1)
		b.shelf.count()
		time.Sleep(time.Hour)
		looks, _ = b.shelf.count()
		require.InDelta(t, 53, looks, 3, "and as often as before once it works")
		b.shelf.set("", approvals.Refuse(approvals.KindDenied, nil, "policy has changed"))
		time.Sleep(2 * time.Minute)
		require.Len(t, session.ClientNotifications(), 2, "so that the client looks, and is told why")
		require.Zero(t, countLive(b.s))
		b.s.mcp.UnregisterSession(t.Context(), "one")
	})
}

// A gate that is closed, and a store that fails, answer a waiting call at once. Nothing may turn round and round.
func TestWaitingForARequestNeverSpins(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		session := b.session("one")
		require.Empty(t, b.subscribe(session, Principal{}, "request://REQ00001"))
		b.shelf.count()
		time.Sleep(time.Minute)
		looks, waits := b.shelf.count()
		require.LessOrEqual(t, waits, 61)
		require.LessOrEqual(t, looks, 61)
		b.shelf.set("running", errors.New("disk I/O error"))
		time.Sleep(time.Hour)
		looks, waits = b.shelf.count()
		require.LessOrEqual(t, waits, 62)
		require.LessOrEqual(t, looks, 130)
		b.shelf.set("succeeded", nil)
		time.Sleep(20 * time.Minute)
		require.Len(t, session.ClientNotifications(), 1)
		require.Zero(t, countLive(b.s))
		b.s.mcp.UnregisterSession(t.Context(), "one")
	})
}

func TestWhoSubscribedIsWhoLooks(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		session := b.session("one")
		alice := Principal{Key: "alice", Requester: approvals.Requester{Person: approvals.Person{ID: "alice@contoso.com"}}}
		require.Empty(t, b.subscribe(session, alice, "alert://1"))
		require.Empty(t, b.subscribe(session, alice, "request://REQ00001"))
		time.Sleep(5 * time.Minute)
		b.s.mcp.UnregisterSession(t.Context(), "one")
		synctest.Wait()
		require.Equal(t, map[string]bool{"alice alice@contoso.com": true}, b.shelf.seen)
	})
}

func TestSubscriptionsAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		refusals := 0
		var last string
		for s := range 5 {
			session := b.session(fmt.Sprint("s", s))
			for i := range sessionSubs + 1 {
				if text := b.subscribe(session, Principal{Key: "alice"}, fmt.Sprintf("alert://%d", i)); text != "" {
					refusals++
					last = text
				}
			}
		}
		require.Equal(t, ownerSubs, countSubs(b.s))
		require.Equal(t, sessionSubs, countLive(b.s))
		require.Equal(t, 5*(sessionSubs+1)-ownerSubs, refusals)
		require.Contains(t, last, "too many subscriptions")
		require.Empty(t, b.subscribe(b.session("bobs"), Principal{Key: "bob"}, "alert://1"), "others have room of their own")
		for p := range allSubs {
			b.subscribe(b.session(fmt.Sprint("p", p)), Principal{Key: fmt.Sprint(p)}, "alert://1")
		}
		require.Equal(t, allSubs, countSubs(b.s))
		b.s.watches.leave(func(subKey) bool { return true })
		require.Zero(t, countLive(b.s))
	})
}

func TestASubscriptionEndsWithTheProofOfWhoAsked(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		session := b.session("one")
		require.Empty(t, b.subscribe(session, Principal{Key: "alice", Expires: time.Now().Add(time.Hour)}, "alert://1"))
		time.Sleep(time.Hour)
		require.Equal(t, 1, countSubs(b.s))
		time.Sleep(2 * time.Minute)
		require.Zero(t, countSubs(b.s))
		require.Zero(t, countLive(b.s))
		b.s.mcp.UnregisterSession(t.Context(), "one")
	})
}

// The library may refuse a request that we have looked at already, and a session may end under it.
func TestWhatTheLibraryDoesNotTakeIsForgotten(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		session := b.session("one")
		key := subKey{session: session, uri: "alert://1"}
		ctx := b.s.mcp.WithContext(t.Context(), session)
		require.NoError(t, b.s.watches.lease(ctx, key, nil))
		require.Equal(t, 1, countSubs(b.s))
		b.shelf.count()
		time.Sleep(leaseLife + time.Second)
		require.Zero(t, countSubs(b.s))
		require.Zero(t, countLive(b.s))

		b.s.mcp.UnregisterSession(t.Context(), "one")
		require.NoError(t, b.s.watches.lease(ctx, key, nil))
		b.s.watches.begin(ctx, func(subKey) bool { return true })
		time.Sleep(leaseLife + time.Second)
		require.Zero(t, countLive(b.s), "its session was over")
		looks, _ := b.shelf.count()
		require.LessOrEqual(t, looks, 1)
		time.Sleep(goneLife)
		require.Zero(t, countGone(b.s))
	})
}

// Whoever extends a server has resources of their own, and tells of them.
func TestWhoExtendsAServerWatchesItsOwn(t *testing.T) {
	w := open(t, func(o *Options) { o.Extend = func(*server.MCPServer) {} })
	l := listenVia(t, listeners()[0], w.server)
	require.NoError(t, l.subscribe(t, "test://watched"))
	settled(t, w.server)
	require.Error(t, l.subscribe(t, "request://nope"))
}
