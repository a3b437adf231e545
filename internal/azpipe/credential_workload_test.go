package azpipe

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// noPlatform takes away what a platform may have set where the tests run.
func noPlatform(t *testing.T) {
	t.Helper()
	for _, name := range []string{
		"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE", "IDENTITY_ENDPOINT", "IDENTITY_HEADER",
		"IDENTITY_SERVER_THUMBPRINT", "MSI_ENDPOINT", "MSI_SECRET", "IMDS_ENDPOINT",
	} {
		t.Setenv(name, "")
	}
}

// tokenFile is a platform's token in a file, as Kubernetes projects it.
func tokenFile(t *testing.T, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
	return file
}

func (a *authority) workloadConfig(file string) CredentialConfig {
	return CredentialConfig{Kind: KindWorkload, TenantID: tenantID, ClientID: clientID, TokenFile: file, Authority: a.URL, CAFile: a.caFile}
}

func TestWorkloadIdentityShowsThePlatformsToken(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	first, second := fakeJWT(map[string]any{"sub": "pod-1"}), fakeJWT(map[string]any{"sub": "pod-2"})
	file := tokenFile(t, first+"\n")
	cred, err := NewCredential(a.workloadConfig(file))
	require.NoError(t, err)
	get := func() string {
		token, err := cred.GetToken(t.Context(), tokenOptions("s/.default"))
		require.NoError(t, err)
		return token.Token
	}
	old := get()
	form := *a.form.Load()
	require.Equal(t, []string{first}, form["client_assertion"], "without the line end")
	require.Equal(t, []string{"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, form["client_assertion_type"])
	require.Equal(t, []string{clientID}, form["client_id"])
	require.Empty(t, form["client_secret"])

	require.NoError(t, os.WriteFile(file, []byte(second), 0o600))
	require.Equal(t, old, get(), "the token in the cache is good")
	cred.Renew(old)
	require.NotEqual(t, old, get(), "a 401 gives a really new token")
	require.Equal(t, []string{second}, (*a.form.Load())["client_assertion"], "and reads the file anew")
}

// The platform's variables count only for the kind that is theirs, and what is configured counts more.
func TestWorkloadIdentityFromThePlatform(t *testing.T) {
	noPlatform(t)
	a := newAuthority(t)
	const platformClient = "77777777-7777-8888-9999-aaaaaaaaaaaa"
	t.Setenv("AZURE_TENANT_ID", tenantID)
	t.Setenv("AZURE_CLIENT_ID", platformClient)
	t.Setenv("AZURE_FEDERATED_TOKEN_FILE", tokenFile(t, "from-the-platform"))
	posted := func(cfg CredentialConfig) map[string][]string {
		cred, err := NewCredential(cfg)
		require.NoError(t, err)
		_, err = cred.GetToken(t.Context(), tokenOptions("s/.default"))
		require.NoError(t, err)
		return *a.form.Load()
	}
	form := posted(CredentialConfig{Kind: KindWorkload, Authority: a.URL, CAFile: a.caFile})
	require.Equal(t, []string{"from-the-platform"}, form["client_assertion"])
	require.Equal(t, []string{platformClient}, form["client_id"])
	form = posted(a.workloadConfig(tokenFile(t, "configured")))
	require.Equal(t, []string{"configured"}, form["client_assertion"])
	require.Equal(t, []string{clientID}, form["client_id"])
	_, err := NewCredential(CredentialConfig{Kind: KindSecret, ClientSecret: someSecret})
	require.ErrorContains(t, err, "tenant id is missing")
	require.ErrorContains(t, err, "client id is missing")
}

func TestWorkloadIdentityFaults(t *testing.T) {
	noPlatform(t)
	a := newAuthority(t)
	large := tokenFile(t, string(make([]byte, maxAssertion+1))+"x")
	for name, tc := range map[string]struct {
		change func(*CredentialConfig)
		says   []string
	}{
		"everything": {func(c *CredentialConfig) { *c = CredentialConfig{Kind: KindWorkload} }, []string{"tenant id is missing", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE"}},
		"client":     {func(c *CredentialConfig) { c.ClientID = "pod" }, []string{`"pod" is not a GUID`}},
		"lost file":  {func(c *CredentialConfig) { c.TokenFile = "missing.jwt" }, []string{"token file cannot be read", "missing.jwt"}},
		"folder":     {func(c *CredentialConfig) { c.TokenFile = t.TempDir() }, []string{"token file cannot be read"}},
		"empty file": {func(c *CredentialConfig) { c.TokenFile = tokenFile(t, " \n") }, []string{"is empty"}},
		"large file": {func(c *CredentialConfig) { c.TokenFile = large }, []string{"a token is at most"}},
	} {
		cfg := a.workloadConfig(tokenFile(t, "assertion"))
		tc.change(&cfg)
		_, err := NewCredential(cfg)
		for _, says := range tc.says {
			require.ErrorContains(t, err, says, name)
		}
	}
}

func TestWorkloadIdentityRefused(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	assertion := fakeJWT(map[string]any{"sub": "pod"})
	file := tokenFile(t, assertion)
	cred, err := NewCredential(a.workloadConfig(file))
	require.NoError(t, err)
	text := "AADSTS70021: No matching federated identity record found for presented assertion " + assertion + "."
	a.refuse.Store(&text)
	_, err = cred.GetToken(t.Context(), tokenOptions("s/.default"))
	var failed *TokenError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, "AADSTS70021", failed.Code)
	require.NotContains(t, err.Error(), assertion)

	require.NoError(t, os.Remove(file))
	_, err = cred.GetToken(t.Context(), tokenOptions("s/.default"))
	require.ErrorContains(t, err, "the token file cannot be read")
}
