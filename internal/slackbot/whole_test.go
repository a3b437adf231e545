package slackbot_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

func TestALongAnswerIsSentWholeToWhoeverAsked(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true})
	h.typed(t, slacksim.Alice, "devices --limit 50")
	list := h.Ephemerals(slacksim.Alice)
	answer := list[len(list)-1]
	labels := []string{}
	for _, b := range answer.Buttons() {
		labels = append(labels, b.Label)
	}
	require.Equal(t, []string{"More", "Whole answer as a file"}, labels)
	_, err := h.ClickStale(t.Context(), slacksim.Alice, answer, "mde_whole")
	require.NoError(t, err)
	h.told(t, slacksim.Alice, "in your direct messages")
	dm, err := h.DirectMessages(slacksim.Alice)
	require.NoError(t, err)
	files := h.Files(dm)
	require.Len(t, files, 1)
	var whole struct {
		Devices []struct {
			ID string `json:"id"`
		} `json:"devices"`
	}
	require.NoError(t, json.Unmarshal(files[0].Content, &whole))
	require.Len(t, whole.Devices, 50)
	require.Empty(t, h.Files(slacksim.Security))

	// Somebody else's answer, a button that was changed, and a tool that acts or reads evidence give nothing.
	_, err = h.ClickStale(t.Context(), slacksim.Carol, answer, "mde_whole")
	require.NoError(t, err)
	h.told(t, slacksim.Carol, "nly members of the responder group")
	for _, value := range []string{`{"tool":"isolate_devices","args":{"devices":["host01"],"reason":"x"}}`, `{"tool":"read_evidence","args":{}}`, `{`, `{"tool":"nothing"}`} {
		p, err := h.ClickPayload(slacksim.Alice, answer, "mde_whole")
		require.NoError(t, err)
		p["actions"].([]any)[0].(slacksim.Payload)["value"] = value
		_, err = h.Send(t.Context(), slacksim.Interactive, p)
		require.NoError(t, err)
		h.told(t, slacksim.Alice, "This button does")
	}
	require.Len(t, h.Files(dm), 1)
	require.Empty(t, h.Messages(slacksim.Security))
}

func TestAShortAnswerOffersNoFileAndAFailureSaysWhatToDo(t *testing.T) {
	t.Parallel()
	h := newHouse(t, plan{deaf: true, workspace: func(w *slacksim.Workspace) {
		w.BotScopes = []string{"commands", "chat:write", "users:read", "users:read.email", "usergroups:read"}
	}})
	h.typed(t, slacksim.Alice, "whoami")
	list := h.Ephemerals(slacksim.Alice)
	require.Empty(t, list[len(list)-1].Buttons())
	h.typed(t, slacksim.Alice, "devices --limit 50")
	list = h.Ephemerals(slacksim.Alice)
	_, err := h.ClickStale(t.Context(), slacksim.Alice, list[len(list)-1], "mde_whole")
	require.NoError(t, err)
	h.told(t, slacksim.Alice, "whether the app has files:write and im:write")
}
