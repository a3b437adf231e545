package azpipe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestACredentialConfigPrintsNoSecret(t *testing.T) {
	t.Parallel()
	cfg := CredentialConfig{Kind: KindSecret, TenantID: tenantID, ClientID: clientID, ClientSecret: someSecret, CertificatePassword: "second-" + someSecret}
	whole := struct{ Cred CredentialConfig }{cfg}
	var said bytes.Buffer
	for _, v := range []any{cfg, &cfg, whole, []CredentialConfig{cfg}, map[string]*CredentialConfig{"x": &cfg}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&said, verb+"\n", v)
		}
		require.NoError(t, json.NewEncoder(&said).Encode(v))
	}
	for _, h := range []slog.Handler{slog.NewJSONHandler(&said, nil), slog.NewTextHandler(&said, nil)} {
		slog.New(h).Info("x", "cfg", cfg, "at", &cfg, "in", whole)
	}
	require.NotContains(t, said.String(), someSecret)
	require.NotContains(t, said.String(), fmt.Sprintf("%x", someSecret))
	require.NotContains(t, said.String(), fmt.Sprintf("%X", someSecret))
	require.Contains(t, said.String(), tenantID, "what is no secret is shown")
	require.Equal(t, someSecret, cfg.ClientSecret, "the configuration stays as it is")
	require.NotContains(t, fmt.Sprintf("%+v", CredentialConfig{}), redacted, "what is not there is not hidden")
}
