package mdecore_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

// failedWith is the error of a call that is refused with these words.
func failedWith(t *testing.T, code, message, target string) *mdecore.Error {
	t.Helper()
	body, err := json.Marshal(map[string]any{"error": map[string]string{"code": code, "message": message, "target": target}})
	require.NoError(t, err)
	_, err = newService(t, answer(400, string(body))).clientOf(t).GetMachine(t.Context(), machineID)
	var failed *mdecore.Error
	require.ErrorAs(t, err, &failed)
	require.True(t, utf8.ValidString(err.Error()))
	return failed
}

func TestNoWordOfTheServiceShowsASecret(t *testing.T) {
	t.Parallel()
	const secret, said, header = "c2lnbmF0dXJl", "https://x.example/?se=1&sig=c2lnbmF0dXJl", "Bearer c2lnbmF0dXJlc2lnbmF0dXJl"
	for _, err := range []*mdecore.Error{
		failedWith(t, said, "m", "t"), failedWith(t, "c", said, "t"), failedWith(t, "c", "m", said),
		// The limits cut these secrets to less than what is recognised.
		failedWith(t, "c", strings.Repeat("x", 4<<10-18)+" "+header, "t"),
		failedWith(t, strings.Repeat("x", 200-18)+" "+header, "m", "t"), failedWith(t, "c", "m", strings.Repeat("x", 200-18)+" "+header),
	} {
		text := fmt.Sprintf("%v %+v %s %s %s %s", err, err, err.Code, err.Message, err.Target, err.Body)
		for n := 6; n <= len(secret); n++ {
			require.NotContains(t, text, secret[:n])
		}
	}
}

func TestNoWordOfTheServiceFillsALog(t *testing.T) {
	t.Parallel()
	huge := strings.Repeat("é", 20<<10)
	for _, err := range []*mdecore.Error{failedWith(t, huge, "m", "t"), failedWith(t, "c", huge, "t"), failedWith(t, "c", "m", huge)} {
		require.Less(t, len(err.Error()), 5000)
		require.Less(t, max(len(err.Code), len(err.Target)), 210)
		require.LessOrEqual(t, len(err.Body), 64<<10)
	}
	short := failedWith(t, "SomeCode", "some text", "43f4cb08")
	require.Equal(t, "SomeCode some text 43f4cb08", short.Code+" "+short.Message+" "+short.Target, "what is short stays as it is")
}
