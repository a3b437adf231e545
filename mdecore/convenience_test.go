package mdecore_test

import (
	"context"
	"io"
	"net/http"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

// convenienceOperations are the methods that have no documented operation of their own.
func convenienceOperations() map[string]operation {
	return map[string]operation{
		"CountMachineAlerts": withID(machineID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.CountMachineAlerts(ctx, id, "")
			return err
		}),
		"GetOperation": withID(machineID, func(ctx context.Context, c *mdecore.Client, id string) error {
			r, err := mdecore.NewRawGet("/api/machines/"+id, nil)
			if err != nil {
				return err
			}
			_, err = c.GetOperation(ctx, r)
			return err
		}),
		"StartLiveResponse": withID(machineID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.StartLiveResponse(ctx, id, live(mdecore.GetFile{Path: "/etc/hosts"}))
			return err
		}).changing(),
		"LiveResponseResult": withID(actionID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.LiveResponseResult(ctx, id, 0, io.Discard, mdecore.DownloadOptions{})
			return err
		}),
		"LiveResponseScriptResult": withID(actionID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.LiveResponseScriptResult(ctx, id, 0, mdecore.DownloadOptions{})
			return err
		}),
		"DownloadInvestigationPackage": withID(actionID, func(ctx context.Context, c *mdecore.Client, id string) error {
			_, err := c.DownloadInvestigationPackage(ctx, id, io.Discard, mdecore.DownloadOptions{})
			return err
		}),
		"Download": {good: func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.Download(ctx, func(ctx context.Context) (mdecore.Link, error) {
				return c.GetInvestigationPackageURI(ctx, actionID)
			}, io.Discard, mdecore.DownloadOptions{})
			return err
		}},
		"Hunt": operation{good: func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.Hunt(ctx, "", mdecore.HuntingQuery{Query: "DeviceInfo"})
			return err
		}}.refusing(func(ctx context.Context, c *mdecore.Client) error {
			_, err := c.Hunt(ctx, "other", mdecore.HuntingQuery{Query: "DeviceInfo"})
			return err
		}),
	}
}

// TestNoMethodIsLeftOut keeps the lists of methods that are failed on purpose complete.
func TestNoMethodIsLeftOut(t *testing.T) {
	t.Parallel()
	tried := operations(t)
	for name, op := range convenienceOperations() {
		require.NotContains(t, tried, name)
		tried[name] = op
	}
	client := reflect.TypeOf(new(mdecore.Client))
	for i := range client.NumMethod() {
		name := client.Method(i).Name
		if name == "Cloud" || name == "TokenInfo" {
			continue // they call no operation
		}
		require.Contains(t, tried, name)
	}
}

// TestConvenienceMethodsFailWell runs them through the failures of TestEveryMethodFailsWell. What they do before a write is
// read, so none of these failures lets the write go out.
func TestConvenienceMethodsFailWell(t *testing.T) {
	t.Parallel()
	failures := map[string]http.HandlerFunc{
		"401": answer(401, refusal), "403": answer(403, refusal), "404": answer(404, refusal), "500": answer(500, refusal),
		"429": answer(429, refusal, "Retry-After", "3600"), "cut": hangUp, "cut body": cutAfter(200), "not JSON": answer(200, "<html>"), "empty": answer(200, ""),
	}
	for name, op := range convenienceOperations() {
		for failure, handler := range failures {
			t.Run(name+"/"+failure, func(t *testing.T) {
				t.Parallel()
				s := newService(t, handler)
				err := op.good(t.Context(), s.clientOf(t))
				var failed *mdecore.Error
				require.ErrorAs(t, err, &failed)
				t.Logf("%+v", err)
				require.NotEmpty(t, failed.Message)
				require.NotEmpty(t, s.received())
				for _, call := range s.received() {
					require.False(t, op.write && call.method != http.MethodGet, "the write was sent after a failed look-up")
				}
				require.True(t, !op.write || mdecore.NotSent(err))
				if failure == "429" {
					require.Len(t, s.received(), 1)
					require.InDelta(t, 3600, mdecore.RetryAfter(err).Seconds(), 2)
				}
			})
		}
		t.Run(name+"/unsent", func(t *testing.T) {
			t.Parallel()
			s := newService(t, answer(200, anything(machineID)))
			for _, bad := range op.bad {
				var invalid *mdecore.InvalidError
				require.ErrorAs(t, bad(t.Context(), s.clientOf(t)), &invalid)
			}
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			require.ErrorIs(t, op.good(ctx, s.clientOf(t)), context.Canceled)
			require.Empty(t, s.received())
		})
	}
}
