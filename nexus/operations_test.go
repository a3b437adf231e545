package nexus_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/nexus"
)

func look(t *testing.T, h http.HandlerFunc) (*nexus.OperationStatus, error) {
	t.Helper()
	return newService(t, h).client(t).OperationStatus(t.Context(), operation)
}

func TestTheStatesOfAnOperation(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		code int
		body string
		want nexus.OperationState
	}{
		"succeeded":                        {200, `{"status":"Succeeded"}`, nexus.Succeeded},
		"completed":                        {200, `{"status":"COMPLETED"}`, nexus.Succeeded},
		"failed":                           {200, `{"status":"failed","error":{}}`, nexus.Failed},
		"canceled":                         {200, `{"status":"Canceled"}`, nexus.Canceled},
		"cancelled":                        {200, `{"status":"cancelled"}`, nexus.Canceled},
		"running in a 200":                 {200, `{"status":"InProgress","error":{},"properties":null}`, nexus.Running},
		"running in a 202":                 {202, `{"status":"Accepted"}`, nexus.Running},
		"an unknown word":                  {200, `{"status":"SucceededMaybe"}`, nexus.Running},
		"a 202 without a word":             {202, `{}`, nexus.Running},
		"a 202 without a body":             {202, ``, nexus.Running},
		"a failure in a 202":               {202, `{"status":"Failed"}`, nexus.Failed},
		"the end of a Location":            {200, `{}`, nexus.Succeeded},
		"the end of a Location, empty":     {200, ``, nexus.Succeeded},
		"the end of a Location, 204":       {204, ``, nexus.Succeeded},
		"the resource, while it changes":   {200, `{"id":"x","properties":{"provisioningState":"Updating"}}`, nexus.Running},
		"the resource, when that ended":    {200, `{"id":"x","properties":{"provisioningState":"Succeeded"}}`, nexus.Succeeded},
		"the resource, when that failed":   {200, `{"id":"x","properties":{"provisioningState":"Failed"}}`, nexus.Failed},
		"a result without a word of state": {200, `{"properties":{"exitCode":"0"}}`, nexus.Succeeded},
	} {
		got, err := look(t, answer(test.code, test.body))
		require.NoError(t, err, name)
		require.Equal(t, test.want, got.State, name)
	}
}

func TestAnOperationIsReadWhole(t *testing.T) {
	t.Parallel()
	got, err := look(t, answer(200, `{"id":"x","resourceId":"`+nodePath+`","status":"Failed","startTime":"2026-11-20T09:00:00.1234567Z","endTime":"2026-11-20T09:02:11Z",
		"error":{"code":"X","message":"it\nbroke","details":[{"code":"Y","message":"inner"}]},
		"properties":{"exitCode":252,"outputHead":"=== \u001b[1mhead\r\nline\u202e https://x.blob.core.windows.net/c/b?sv=1&sig=SECRET%3D end","resultRef":"https://x/y?sig=SECRET"}}`, "Retry-After", "7"))
	require.NoError(t, err)
	require.Equal(t, &nexus.OperationStatus{
		State: nexus.Failed, Status: "Failed", ResourceID: nodePath, Start: time.Date(2026, 11, 20, 9, 0, 0, 123456700, time.UTC), End: time.Date(2026, 11, 20, 9, 2, 11, 0, time.UTC),
		Code: "X", Message: "it broke", ExitCode: nexus.TimeLimitExit, OutputHead: "=== [1mhead\nline https://x.blob.core.windows.net/c/b?sv=1&sig=REDACTED end", HasResult: true, RetryAfter: 7 * time.Second,
	}, got)
}

func TestWhatAnOperationSaysElsewhere(t *testing.T) {
	t.Parallel()
	got, err := look(t, answer(200, `{"status":"Failed","error":{"details":[{"code":"Y","message":"inner"}]},"properties":{"exitCode":null,"outputHead":"`+strings.Repeat("ä", 3000)+`"}}`,
		"Date", "Fri, 20 Nov 2026 09:00:00 GMT", "Retry-After", "Fri, 20 Nov 2026 09:00:30 GMT"))
	require.NoError(t, err)
	require.Equal(t, "Y", got.Code)
	require.Equal(t, "inner", got.Message)
	require.Empty(t, got.ExitCode)
	require.LessOrEqual(t, len(got.OutputHead), 2048)
	require.True(t, strings.HasSuffix(got.OutputHead, "ä…"), got.OutputHead[len(got.OutputHead)-10:])
	require.Equal(t, 30*time.Second, got.RetryAfter)
	require.False(t, got.HasResult)
}

func TestAnOperationThatCanNotBeTold(t *testing.T) {
	t.Parallel()
	_, err := look(t, armError(404, "NotFound", "x"))
	require.ErrorContains(t, err, "the operation is no longer known")
	require.True(t, nexus.IsNotFound(err))
	for _, body := range []string{"<html>", "null", "[]", `"Succeeded"`, `{"status":`, `{"status":{}}`, `{"properties":[]}`} {
		_, err := look(t, answer(200, body))
		require.Error(t, err, "%s is no end of an operation", body)
	}
}

// The signature of an operation's address is sent and shown nowhere.
func TestTheSignatureOfAnAddressIsNotShown(t *testing.T) {
	t.Parallel()
	signed := operation + "&t=638000000000000000&c=CERTIFICATE&s=SIGNATURE&h=HASHVALUE"
	s := newService(t, armError(400, "Bad", "no: https://x/y?api-version=1&c=CERTIFICATE&s=SIGNATURE&h=HASHVALUE is wrong"))
	_, err := s.client(t).OperationStatus(t.Context(), signed)
	sent := s.received()[0]
	require.Contains(t, sent.query, "s=SIGNATURE")
	require.Contains(t, sent.query, "h=HASHVALUE")
	c := s.client(t)
	s.Close()
	_, unsent := c.OperationStatus(t.Context(), signed)
	require.ErrorContains(t, unsent, "no usable answer from 127.0.0.1")
	for _, err := range []error{err, unsent} {
		for e := err; e != nil; e = unwrap(e) {
			for _, secret := range []string{"CERTIFICATE", "SIGNATURE", "HASHVALUE"} {
				require.NotContains(t, e.Error(), secret)
			}
		}
	}
	require.Equal(t, strings.Split(operation, "?")[0], nexus.OperationName(signed))
}

func unwrap(err error) error {
	u, ok := err.(interface{ Unwrap() error })
	if !ok {
		return nil
	}
	return u.Unwrap()
}
