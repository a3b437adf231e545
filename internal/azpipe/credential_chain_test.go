package azpipe

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseKinds(t *testing.T) {
	t.Parallel()
	kinds, err := ParseKinds("workload, managed,cli")
	require.NoError(t, err)
	require.Equal(t, []string{KindWorkload, KindManaged, KindCLI}, kinds)
	for text, says := range map[string]string{
		"": `"" is unknown`, "default": `"default" is unknown`, "workload,": `"" is unknown`, "cli,cli": `"cli" is named twice`, "Secret": `"Secret" is unknown`,
	} {
		_, err := ParseKinds(text)
		require.ErrorContains(t, err, says)
	}
}

// fakeCLI puts a program named az first in the path, or an empty folder in place of the path.
func fakeCLI(t *testing.T, script string) {
	t.Helper()
	bin := t.TempDir()
	if script != "" {
		require.NoError(t, os.WriteFile(filepath.Join(bin, "az"), []byte("#!/bin/sh\n"+script), 0o700))
	}
	t.Setenv("PATH", bin)
}

const cliToken = `printf '%s' '{"accessToken":"cli-token","expires_on":4102444800,"tokenType":"Bearer"}'`

func (a *authority) chain(t *testing.T, kinds string) CredentialConfig {
	t.Helper()
	noPlatform(t)
	cfg := a.config()
	cfg.Kind, cfg.dial = kinds, nowhere
	return cfg
}

func token(t *testing.T, cred *Renewable) string {
	t.Helper()
	got, err := cred.GetToken(t.Context(), tokenOptions("https://"+t.Name()+"/.default"))
	require.NoError(t, err)
	return got.Token
}

// One configuration serves a cluster, a virtual machine and a developer's machine.
func TestChainTakesTheFirstThatIsThere(t *testing.T) {
	a := newAuthority(t)
	fakeCLI(t, cliToken)
	cfg := a.chain(t, "workload,managed,cli")
	cred, err := NewCredential(cfg)
	require.NoError(t, err)
	require.Equal(t, "cli-token", token(t, cred), "nothing of a platform is here")
	require.Zero(t, a.given.Load())

	e := newIdentityEndpoint(t)
	e.virtualMachine(t, &cfg)
	cred, err = NewCredential(cfg)
	require.NoError(t, err)
	require.NotEqual(t, "cli-token", token(t, cred))
	require.EqualValues(t, 1, e.given.Load())

	t.Setenv("AZURE_FEDERATED_TOKEN_FILE", tokenFile(t, "assertion"))
	cred, err = NewCredential(cfg)
	require.NoError(t, err)
	token(t, cred)
	require.EqualValues(t, 1, a.given.Load())
	require.EqualValues(t, 1, e.given.Load())
}

// A file that is configured and not there is what the other places of one configuration look like.
func TestChainWaitsForTheTokenFile(t *testing.T) {
	a := newAuthority(t)
	fakeCLI(t, "")
	cfg := a.chain(t, "workload,cli")
	cfg.TokenFile = filepath.Join(t.TempDir(), "token")
	cred, err := NewCredential(cfg)
	require.NoError(t, err)
	_, err = cred.GetToken(t.Context(), tokenOptions("s/.default"))
	require.ErrorContains(t, err, "workload: ")
	require.ErrorContains(t, err, "no such file")
	require.ErrorContains(t, err, "cli: ", "the next one had its turn")
	require.NoError(t, os.WriteFile(cfg.TokenFile, []byte("assertion"), 0o600))
	token(t, cred)
	require.EqualValues(t, 1, a.given.Load())
}

// A virtual machine without an identity of its own is one that managed identities are not available on.
func TestChainPassesAMachineWithoutIdentity(t *testing.T) {
	a := newAuthority(t)
	fakeCLI(t, cliToken)
	cfg := a.chain(t, "managed,cli")
	cfg.ClientID = ""
	e := newIdentityEndpoint(t)
	e.virtualMachine(t, &cfg)
	answer := `{"error":"invalid_request","error_description":"Identity not found"}`
	e.refuse.Store(&answer)
	cred, err := NewCredential(cfg)
	require.NoError(t, err)
	require.Equal(t, "cli-token", token(t, cred))
}

// Who is refused must mend that, not work on under another identity.
func TestChainStopsAtARefusal(t *testing.T) {
	a := newAuthority(t)
	fakeCLI(t, cliToken)
	text := "AADSTS7000215: Invalid client secret provided: '" + someSecret + "'."
	a.refuse.Store(&text)
	for _, kinds := range []string{"secret,cli", "workload,secret,cli", "workload,managed,secret,cli"} {
		cred, err := NewCredential(a.chain(t, kinds))
		require.NoError(t, err)
		_, err = cred.GetToken(t.Context(), tokenOptions("s/.default"))
		var failed *TokenError
		require.ErrorAs(t, err, &failed, kinds)
		require.Equal(t, "AADSTS7000215", failed.Code)
		require.ErrorContains(t, err, "secret: AADSTS7000215")
		require.NotContains(t, err.Error(), "cli:")
		require.NotContains(t, err.Error(), someSecret)
	}

	assertion := fakeJWT(map[string]any{"sub": "pod"})
	cfg := a.chain(t, "workload,cli")
	cfg.TokenFile = tokenFile(t, assertion)
	cred, err := NewCredential(cfg)
	require.NoError(t, err)
	_, err = cred.GetToken(t.Context(), tokenOptions("s/.default"))
	require.ErrorContains(t, err, "workload: AADSTS7000215")
	require.NotContains(t, err.Error(), assertion)

	e := newIdentityEndpoint(t)
	cfg = a.chain(t, "managed,cli")
	e.virtualMachine(t, &cfg)
	answer := `{"error":"invalid_request","error_description":"Identity not found"}`
	e.refuse.Store(&answer)
	cred, err = NewCredential(cfg)
	require.NoError(t, err)
	_, err = cred.GetToken(t.Context(), tokenOptions("https://"+t.Name()+"/.default"))
	require.ErrorContains(t, err, "managed: Identity not found")
	require.NotContains(t, err.Error(), "cli:")
}

// A service that does not answer may be there again in a minute: that is no reason to become somebody else.
func TestChainStopsWhenTheAuthorityIsOut(t *testing.T) {
	a := newAuthority(t)
	fakeCLI(t, cliToken)
	cfg := a.chain(t, "secret,cli")
	cfg.CAFile = "" // no trusted answer
	cred, err := NewCredential(cfg)
	require.NoError(t, err)
	short, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond) // azidentity would try three times, for 3 s
	defer cancel()
	_, err = cred.GetToken(short, tokenOptions("s/.default"))
	require.ErrorContains(t, err, "secret: ")
	require.NotContains(t, err.Error(), "cli:")
}

// Something that takes the connection is there, whatever it does then.
func TestChainStopsAtAnIdentityEndpointThatHangsUp(t *testing.T) {
	a := newAuthority(t)
	fakeCLI(t, cliToken)
	cfg := a.chain(t, "managed,cli")
	var asked atomic.Int32
	e := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = conn.(*net.TCPConn).SetLinger(0) // a reset is an error of the network, as a refused connection is
			_ = conn.Close()
		}
	}))
	defer e.Close()
	cfg.dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		var dialer net.Dialer
		return dialer.DialContext(ctx, network, e.Listener.Addr().String())
	}
	cred, err := NewCredential(cfg)
	require.NoError(t, err)
	short, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond) // azidentity would try three times, for 8 s
	defer cancel()
	_, err = cred.GetToken(short, tokenOptions("https://"+t.Name()+"/.default"))
	require.ErrorContains(t, err, "managed: ")
	require.NotContains(t, err.Error(), "cli:")
	require.NotZero(t, asked.Load())
}

func TestChainNamesEachMemberThatIsNotThere(t *testing.T) {
	a := newAuthority(t)
	fakeCLI(t, "")
	cred, err := NewCredential(a.chain(t, "workload,managed,cli"))
	require.NoError(t, err)
	_, err = cred.GetToken(t.Context(), tokenOptions("https://"+t.Name()+"/.default"))
	for _, says := range []string{
		"workload: no token file is configured and AZURE_FEDERATED_TOKEN_FILE is not set",
		"managed: no managed identity here: nothing answers at 169.254.169.254",
		"cli: AzureCLICredential: executable not found on path",
	} {
		require.ErrorContains(t, err, says)
	}
	require.True(t, NotSent(err))
	require.Equal(t, 2, strings.Count(err.Error(), "; "))
}

// After a 401 the chain is built anew. It must stay with the identity that it has worked under.
func TestChainKeepsItsMember(t *testing.T) {
	a := newAuthority(t)
	fakeCLI(t, cliToken)
	cfg := a.chain(t, "workload,cli")
	cfg.TokenFile = tokenFile(t, "assertion")
	cred, err := NewCredential(cfg)
	require.NoError(t, err)
	first := token(t, cred)
	cred.Renew(first)
	second := token(t, cred)
	require.NotEqual(t, first, second, "a 401 gives a really new token")
	require.EqualValues(t, 2, a.given.Load())

	require.NoError(t, os.Remove(cfg.TokenFile))
	require.Equal(t, second, token(t, cred))
	cred.Renew(second)
	_, err = cred.GetToken(t.Context(), tokenOptions("https://"+t.Name()+"/.default"))
	require.ErrorContains(t, err, "workload: ")
	require.NotContains(t, err.Error(), "cli:")
}

func TestChainReportsTheFaultsOfAllMembers(t *testing.T) {
	a := newAuthority(t)
	cfg := a.chain(t, "secret,certificate,workload")
	cfg.TenantID, cfg.ClientSecret, cfg.TokenFile, cfg.CertificateFile = "", "", tokenFile(t, ""), "missing.pem"
	_, err := NewCredential(cfg)
	for _, says := range []string{"tenant id is missing", "client secret is missing", "missing.pem", "is empty"} {
		require.ErrorContains(t, err, says)
	}
}
