package app

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/approvals"
)

// claimed is a sign-in whose token says what a test wants it to.
type claimed struct {
	claims map[string]any
	asked  int
}

func (c *claimed) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.asked++
	b, err := json.Marshal(c.claims)
	if err != nil {
		return azcore.AccessToken{}, err
	}
	enc := base64.RawURLEncoding
	token := enc.EncodeToString([]byte(`{"alg":"RS256"}`)) + "." + enc.EncodeToString(b) + ".c2ln"
	return azcore.AccessToken{Token: token, ExpiresOn: time.Now().Add(1000 * time.Hour)}, nil
}

const identityTenant = "5a1f6c1e-0d7b-4c0e-9f52-3b6d3f7a1c00"

// aliceClaims are those of a token that proves who is signed in, until an hour after the time.
func aliceClaims(at time.Time) map[string]any {
	return map[string]any{
		"aud": "https://api.securitycenter.microsoft.com", "tid": identityTenant, "oid": "A11CE000-0000-4000-8000-000000000001",
		"upn": "Alice@Contoso.com", "scp": "Machine.Isolate Machine.Read", "exp": at.Add(time.Hour).Unix(),
	}
}

func cliCaller(cred azcore.TokenCredential, now func() time.Time) *Caller {
	return NewCaller(CallerOptions{
		Identity: Identity{Source: "cli", User: "bob@contoso.com"}, Tenant: identityTenant,
		Scope: "https://api.securitycenter.microsoft.com/.default", SignIn: cred, Clock: now,
	})
}

// A verified requester needs one approver less, so only a token that says everything makes one. What falls short is an
// error, and never an unverified caller under the same name.
func TestATokenMustSayWhoForWhichTenantAndForWhat(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		change map[string]any // nil takes a claim away
		want   string         // "" when it is good
	}{
		"good":                       {nil, ""},
		"tenant in capitals":         {map[string]any{"tid": "5A1F6C1E-0D7B-4C0E-9F52-3B6D3F7A1C00"}, ""},
		"audience with a slash":      {map[string]any{"aud": "https://api.securitycenter.microsoft.com/"}, ""},
		"another tenant":             {map[string]any{"tid": "00000000-dead-dead-dead-000000000000"}, "signed in to tenant"},
		"no tenant":                  {map[string]any{"tid": nil}, "signed in to tenant"},
		"another audience":           {map[string]any{"aud": "https://graph.microsoft.com"}, "look at MDE_SCOPE"},
		"an audience that begins so": {map[string]any{"aud": "https://api.securitycenter.microsoft.com.evil.example"}, "look at MDE_SCOPE"},
		"no audience":                {map[string]any{"aud": nil}, "look at MDE_SCOPE"},
		"ended":                      {map[string]any{"exp": now.Add(-time.Second).Unix()}, "sign-in ended at"},
		"ends now":                   {map[string]any{"exp": now.Unix()}, "sign-in ended at"},
		"ended long ago":             {map[string]any{"exp": 1}, "sign-in ended at"},
		"no name":                    {map[string]any{"upn": nil}, "does not prove who"},
		"only names that can be set": {map[string]any{"upn": nil, "unique_name": "boss@contoso.com", "preferred_username": "boss@contoso.com"}, "does not prove who"},
		"a name that is no address":  {map[string]any{"upn": "worker"}, "does not prove who"},
		"a Slack id for a name":      {map[string]any{"upn": "slack:T0001/UBOSS"}, "does not prove who"},
		"no object id":               {map[string]any{"oid": nil}, "does not prove who"},
		"an application":             {map[string]any{"scp": nil, "roles": []string{"Machine.Isolate"}}, "as an application"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			claims := aliceClaims(now)
			maps.Copy(claims, c.change)
			who, err := cliCaller(&claimed{claims: claims}, func() time.Time { return now }).Requester(t.Context(), approvals.ViaMCP, "an assistant")
			if c.want == "" {
				require.NoError(t, err)
				require.True(t, who.Verified)
				require.Equal(t, "alice@contoso.com", who.ID)
				require.Equal(t, []string{"entra:a11ce000-0000-4000-8000-000000000001"}, who.Aliases)
				return
			}
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "MDE_IDENTITY=cli")
			require.Equal(t, approvals.Requester{}, who)
		})
	}
}

func TestASignInIsAskedForAgainWhenItEnds(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	cred := &claimed{claims: aliceClaims(now)}
	c := cliCaller(cred, func() time.Time { return now })
	for range 3 {
		_, err := c.Requester(t.Context(), approvals.ViaMCP, "")
		require.NoError(t, err)
	}
	require.Equal(t, 1, cred.asked)

	now = now.Add(time.Hour)
	for range 2 {
		_, err := c.Requester(t.Context(), approvals.ViaMCP, "")
		require.ErrorContains(t, err, "sign-in ended", "who was signed in is not remembered for ever")
	}
	cred.claims = aliceClaims(now)
	cred.claims["upn"] = "bob@contoso.com"
	who, err := c.Requester(t.Context(), approvals.ViaMCP, "")
	require.NoError(t, err)
	require.Equal(t, "bob@contoso.com", who.ID)
}

func TestAnyTenantWillDoWhenNoneIsSet(t *testing.T) {
	t.Parallel()
	o := CallerOptions{Identity: Identity{Source: "cli"}, Scope: "https://api.securitycenter.microsoft.com/.default", SignIn: &claimed{claims: aliceClaims(time.Now())}}
	who, err := NewCaller(o).Requester(t.Context(), approvals.ViaShell, "")
	require.NoError(t, err)
	require.True(t, who.Verified)

	nowhere := aliceClaims(time.Now())
	delete(nowhere, "tid")
	o.SignIn = &claimed{claims: nowhere}
	_, err = NewCaller(o).Requester(t.Context(), approvals.ViaShell, "")
	require.ErrorContains(t, err, "signed in to tenant", "but it must be one")

	o.Scope, o.SignIn = "", &claimed{claims: map[string]any{"tid": identityTenant, "oid": "1", "upn": "a@b.c", "scp": "x", "exp": 4102444800}}
	_, err = NewCaller(o).Requester(t.Context(), approvals.ViaShell, "")
	require.ErrorContains(t, err, "look at MDE_SCOPE", "no resource is not every resource")
}
