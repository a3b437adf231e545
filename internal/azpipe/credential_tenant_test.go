package azpipe

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A machine's own identity belongs to the tenant of the machine, whatever was configured.
func TestATokenOfAnotherTenantIsRefused(t *testing.T) {
	const other = "99999999-2222-3333-4444-555555555555"
	for name, tc := range map[string]struct {
		configured, token string
		refused           bool
	}{
		"same":            {tenantID, fakeJWT(map[string]any{"tid": tenantID}), false},
		"same, uppercase": {tenantID, fakeJWT(map[string]any{"tid": strings.ToUpper(tenantID)}), false},
		"other":           {tenantID, fakeJWT(map[string]any{"tid": other}), true},
		"none named":      {tenantID, fakeJWT(map[string]any{"n": 1}), false},
		"unreadable":      {tenantID, "opaque", false},
		"any will do":     {"", fakeJWT(map[string]any{"tid": other}), false},
	} {
		t.Run(name, func(t *testing.T) {
			e := newIdentityEndpoint(t)
			e.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(`{"access_token":"` + tc.token + `","token_type":"Bearer","expires_in":"3599","expires_on":"4102444800","resource":"x"}`))
			})
			e.appService(t)
			for _, kind := range []string{KindManaged, KindWorkload + "," + KindManaged} {
				cfg := CredentialConfig{Kind: kind, TenantID: tc.configured, TokenFile: ""}
				if tc.configured == "" && kind != KindManaged {
					continue // a workload wants a tenant
				}
				cred, err := NewCredential(cfg)
				require.NoError(t, err)
				token, err := cred.GetToken(t.Context(), tokenOptions("https://"+t.Name()+kind+"/.default"))
				if !tc.refused {
					require.NoError(t, err)
					require.Equal(t, tc.token, token.Token)
					continue
				}
				require.ErrorContains(t, err, "tenant "+other)
				require.ErrorContains(t, err, "tenant "+tenantID+" is configured")
				require.Empty(t, token.Token)
				require.True(t, NotSent(err))
			}
		})
	}
}
