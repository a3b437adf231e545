package azpipe

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The files in testdata hold a certificate that no tenant knows, made for these tests.
const pfxPassword = "correct-horse"

func pfxConfig(a *authority, file, password string) CredentialConfig {
	cfg := a.config()
	cfg.Kind, cfg.ClientSecret, cfg.CertificateFile, cfg.CertificatePassword = KindCertificate, "", "testdata/"+file, password
	return cfg
}

func TestPFXCertificate(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cred, err := NewCredential(pfxConfig(a, "app-3des.pfx", pfxPassword))
	require.NoError(t, err)
	_, err = cred.GetToken(t.Context(), tokenOptions("s/.default"))
	require.NoError(t, err)
	require.NotEmpty(t, (*a.form.Load())["client_assertion"])
}

func TestPFXThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	for _, tc := range []struct{ file, password, says string }{
		{"app-3des.pfx", "wrong-horse", "may need its password"},
		{"app-3des.pfx", "", "may need its password"},
		{"app-aes.pfx", pfxPassword, "AES encryption cannot be read here: turn it into PEM"},
	} {
		_, err := NewCredential(pfxConfig(a, tc.file, tc.password))
		require.ErrorContains(t, err, tc.says, tc.file)
		require.ErrorContains(t, err, tc.file)
		require.NotContains(t, err.Error(), "horse")
	}
	require.Zero(t, a.given.Load())
}
