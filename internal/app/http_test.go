package app

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// served is a configuration whose callers sign in, reachable from other machines over TLS.
func served() map[string]string {
	return map[string]string{
		"MDE_TENANT_ID": identityTenant, "MDE_CLIENT_ID": "0c6e2f4a-51a7-4b3e-8c1d-7f2f5e9d0a02", "MDE_CLIENT_SECRET": "s",
		"MDE_HTTP": "0.0.0.0:8443", "MDE_HTTP_URL": "https://mde.example.com/mcp", "MDE_HTTP_AUDIENCE": "api://0c6e2f4a-51a7-4b3e-8c1d-7f2f5e9d0a03",
		"MDE_HTTP_TLS_CERT": "cert.pem", "MDE_HTTP_TLS_KEY": "key.pem",
	}
}

func TestWhatIsServedOverHTTPMustBeSafe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change map[string]string // "" takes a setting away
		want   string            // "" when it is good
	}{
		"good":                          {nil, ""},
		"proxies in place of TLS":       {map[string]string{"MDE_HTTP_TLS_CERT": "", "MDE_HTTP_TLS_KEY": "", "MDE_HTTP_PROXIES": "10.0.0.0/24,10.1.2.3,fd00::/8"}, ""},
		"an application":                {map[string]string{"MDE_HTTP_APPS": "0c6e2f4a-51a7-4b3e-8c1d-7f2f5e9d0aff=carol@contoso.com"}, ""},
		"roles":                         {map[string]string{"MDE_HTTP_ROLES": "A=devices, alerts; B = all;"}, ""},
		"loopback and a person":         {map[string]string{"MDE_HTTP": "[::1]:0", "MDE_HTTP_AUDIENCE": "", "MDE_HTTP_URL": "", "MDE_USER": "alice@contoso.com"}, ""},
		"loopback and nobody":           {map[string]string{"MDE_HTTP": "127.0.0.1:0", "MDE_HTTP_AUDIENCE": "", "MDE_HTTP_URL": ""}, "MDE_USER is not set"},
		"everybody's network":           {map[string]string{"MDE_HTTP_PROXIES": "0.0.0.0/0"}, "never everybody's"},
		"no network":                    {map[string]string{"MDE_HTTP_PROXIES": "proxy.example.com"}, "MDE_HTTP_PROXIES"},
		"nobody signs in":               {map[string]string{"MDE_HTTP_AUDIENCE": "", "MDE_USER": "alice@contoso.com"}, "nobody would be asked who they are"},
		"nobody signs in, all networks": {map[string]string{"MDE_HTTP": ":8080", "MDE_HTTP_AUDIENCE": "", "MDE_USER": "alice@contoso.com"}, "nobody would be asked who they are"},
		"proxies before an open door":   {map[string]string{"MDE_HTTP": "127.0.0.1:0", "MDE_HTTP_AUDIENCE": "", "MDE_HTTP_PROXIES": "127.0.0.1", "MDE_USER": "alice@contoso.com"}, "MDE_HTTP_PROXIES is set and nobody"},
		"in the clear":                  {map[string]string{"MDE_HTTP_TLS_CERT": "", "MDE_HTTP_TLS_KEY": ""}, "without TLS would show tokens"},
		"half a pair":                   {map[string]string{"MDE_HTTP_TLS_KEY": ""}, "belong together"},
		"no URL":                        {map[string]string{"MDE_HTTP_URL": ""}, "MDE_HTTP_URL is not set"},
		"a URL in the clear":            {map[string]string{"MDE_HTTP_URL": "http://mde.example.com/mcp"}, "MDE_HTTP_URL"},
		"a URL of another path":         {map[string]string{"MDE_HTTP_URL": "https://mde.example.com/"}, "MDE_HTTP_URL"},
		"a name for an address":         {map[string]string{"MDE_HTTP": "localhost"}, "an address and a port"},
		"an audience of one word":       {map[string]string{"MDE_HTTP_AUDIENCE": "mde"}, "MDE_HTTP_AUDIENCE"},
		"an issuer in the clear":        {map[string]string{"MDE_HTTP_ISSUER": "http://login.example.com"}, "MDE_HTTP_ISSUER"},
		"two scopes":                    {map[string]string{"MDE_HTTP_SCOPE": "a b"}, "MDE_HTTP_SCOPE"},
		"a tenant by its domain":        {map[string]string{"MDE_TENANT_ID": "contoso.com"}, "because tokens name that"},
		"an application of nobody":      {map[string]string{"MDE_HTTP_APPS": "0c6e2f4a-51a7-4b3e-8c1d-7f2f5e9d0aff"}, "MDE_HTTP_APPS"},
		"an unknown toolset":            {map[string]string{"MDE_HTTP_ROLES": "A=devces"}, "did you mean devices"},
		"a role twice":                  {map[string]string{"MDE_HTTP_ROLES": "A=devices;A=all"}, "each role once"},
		"a role of nothing":             {map[string]string{"MDE_HTTP_ROLES": "A="}, "MDE_HTTP_ROLES"},
		"an origin with a path":         {map[string]string{"MDE_HTTP_ORIGINS": "https://app.example.com/x"}, "MDE_HTTP_ORIGINS"},
		"no requests":                   {map[string]string{"MDE_HTTP_PER_MINUTE": "0"}, "must be 1 or more"},
		"a key that signs votes":        {map[string]string{"MDE_VOTE_SIGNING_KEY": "x"}, "must not hold the key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := served()
			for k, v := range c.change {
				settings[k] = v
			}
			var environ []string
			for k, v := range settings {
				environ = append(environ, k+"="+v)
			}
			cfg, err := Load(t.Context(), environ, false)
			require.NoError(t, err)
			err = cfg.CheckServe()
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestTheIssuerIsTheTenantsUnlessAnotherIsNamed(t *testing.T) {
	t.Parallel()
	cfg := Config{Tenant: Tenant{ID: "5A1F6C1E-0D7B-4C0E-9F52-3B6D3F7A1C00", CloudName: "gcc-high"}}
	require.Equal(t, "https://login.microsoftonline.us/"+identityTenant+"/v2.0", cfg.HTTPIssuer())
	cfg.HTTP.Issuer = "https://sts.windows.net/" + identityTenant + "/"
	require.Equal(t, cfg.HTTP.Issuer, cfg.HTTPIssuer())
}
