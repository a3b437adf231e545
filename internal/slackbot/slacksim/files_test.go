package slacksim_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/slack-go/slack"
	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/slackbot/slacksim"
)

func TestFilesAreSharedInThreeSteps(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	file := slack.UploadFileParameters{Filename: "a.json", Title: "All of it", Content: `{"a":1}`, FileSize: 7, Channel: slacksim.Security}
	_, err := d.api.UploadFileContext(t.Context(), file)
	require.NoError(t, err)
	have := d.Files(slacksim.Security)
	require.Len(t, have, 1)
	require.Equal(t, `{"a":1}`, string(have[0].Content))
	require.Equal(t, "All of it", have[0].Title)

	file.FileSize = 8
	_, err = d.api.UploadFileContext(t.Context(), file)
	require.Error(t, err, "another length than was announced")
	file.FileSize, file.Channel = 7, slacksim.Alice
	_, err = d.api.UploadFileContext(t.Context(), file)
	require.ErrorContains(t, err, "channel_not_found", "files go into channels, direct ones too, and not to people")
	im, _, _, err := d.api.OpenConversationContext(t.Context(), &slack.OpenConversationParameters{Users: []string{slacksim.Alice}})
	require.NoError(t, err)
	file.Channel = im.ID
	_, err = d.api.UploadFileContext(t.Context(), file)
	require.NoError(t, err)
	require.Len(t, d.Files(im.ID), 1)
	require.Len(t, d.Files(slacksim.Security), 1)
}

func TestFilesNeedTheirScope(t *testing.T) {
	t.Parallel()
	d := newDesk(t, func(w *slacksim.Workspace) { w.BotScopes = strings.Fields("chat:write") })
	_, err := d.api.UploadFileContext(t.Context(), slack.UploadFileParameters{Filename: "a", Content: "x", FileSize: 1, Channel: slacksim.Security})
	require.ErrorContains(t, err, "missing_scope")
}

func TestFilesAreSharedTogetherOrNotAtAll(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ctx := ctxFor(t)
	root := d.post(t, slack.MsgOptionText("root", false))
	announced := func(name string) *slack.GetUploadURLExternalResponse {
		u, err := d.api.GetUploadURLExternalContext(ctx, slack.GetUploadURLExternalParameters{FileName: name, FileSize: 3})
		require.NoError(t, err)
		return u
	}
	send := func(u *slack.GetUploadURLExternalResponse) {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.UploadURL, strings.NewReader("abc"))
		require.NoError(t, err)
		require.Equal(t, "OK - 3", bodyOf(t, req), "the bytes themselves, without a form")
	}
	share := func(files ...slack.FileSummary) error {
		_, err := d.api.CompleteUploadExternalContext(ctx, slack.CompleteUploadExternalParameters{
			Files: files, Channel: slacksim.Security, ThreadTimestamp: root.TS, InitialComment: "both",
		})
		return err
	}
	one, two := announced("one.csv"), announced("two.csv")
	send(one)
	both := []slack.FileSummary{{ID: one.FileID, Title: "One"}, {ID: two.FileID}}
	require.Equal(t, "file_not_found", slackCode(share(both...)), "the second has no bytes yet")
	require.Empty(t, d.Files(slacksim.Security))
	send(two)
	require.NoError(t, share(both...))
	files := d.Files(slacksim.Security)
	require.Equal(t, []string{"One", "two.csv", root.TS}, []string{files[0].Title, files[1].Title, files[1].ThreadTS})
	thread := d.Thread(slacksim.Security, root.TS)
	require.Len(t, thread, 2, "one message for both")
	require.Equal(t, "both", thread[1].Text)
	require.Equal(t, "file_not_found", slackCode(share(both...)), "shared once")
}
