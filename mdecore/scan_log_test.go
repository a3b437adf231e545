package mdecore_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

// The log is written before the error is handed out, so that hiding the secrets of the latter is not enough.
func TestSecretsOfScansAreNotLogged(t *testing.T) {
	t.Parallel()
	for status, body := range map[int]string{
		400: `{"error":{"code":"BadRequest","message":"auth-word-1 and priv-word-2 were refused"}}`,
		500: `{"error":{"code":"x","message":"{\"authPassword\":\"auth-word-9\"} auth-word-1"}}`,
		201: `{"id":5,"scanAuthenticationParams":{"authPassword":"auth-word-9"}} auth-word-1`,
	} {
		var log bytes.Buffer
		c := newService(t, answer(status, body)).clientOf(t, func(o *mdecore.Options) {
			o.Logger, o.MaxRetries = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), -1
		})
		auth := newScanAuth()
		_, creating := c.CreateScanDefinition(t.Context(), newScan())
		_, updating := c.UpdateScanDefinition(t.Context(), scanID, mdecore.UpdateScanDefinitionRequest{ScanAuthenticationParams: &auth})
		for _, err := range []error{creating, updating} {
			require.Error(t, err)
			fmt.Fprintf(&log, "%v %+v", err, err)
		}
		for _, secret := range shownSecrets() {
			require.NotContains(t, log.String(), secret, "%d", status)
		}
		require.Contains(t, log.String(), "UpdateScanDefinition")
	}
}

func TestListedSecretsOfScansAreNotLogged(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	c := newService(t, answer(400, `{"error":{"code":"x","message":"{\"authPassword\":\"auth-word-9\"}"}}`)).clientOf(t, func(o *mdecore.Options) {
		o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	require.Error(t, drain(c.ListScanDefinitions(t.Context())))
	require.Contains(t, log.String(), "ListScanDefinitions")
	require.NotContains(t, log.String(), "auth-word-9")
}
