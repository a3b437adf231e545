package slacksim

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
)

// File is a file that an app shared.
type File struct {
	ID       string // ID is the file ID (F…).
	Name     string // Name is what the app called it.
	Title    string // Title is what is shown.
	Channel  string // Channel is where it was shared.
	ThreadTS string // ThreadTS is the thread in which it was shared, if any.
	Content  []byte // Content is what was uploaded.
}

// upload is a file on its way: announced, perhaps with its bytes, not yet shared.
type upload struct {
	file   File
	length int
	posted bool
}

// filesGetUploadURL announces a file and says where its bytes go.
func filesGetUploadURL(_ *Workspace, st *state, a args) answer {
	n, err := strconv.Atoi(a["length"])
	switch {
	case a["filename"] == "":
		return fail("invalid_arguments", "[ERROR] missing required field: filename")
	case err != nil || n <= 0:
		return fail("invalid_arguments", "[ERROR] length is the number of bytes, more than 0")
	}
	id := st.nextID("F")
	st.uploads[id] = &upload{file: File{ID: id, Name: a["filename"]}, length: n}
	return answer{"ok": true, "upload_url": st.baseURL + "/upload/" + id, "file_id": id}
}

// takeUpload takes the bytes of a file, as a form with one file of whatever name or as the body itself.
func takeUpload(st *state, r *http.Request, id string, body []byte) reply {
	u := st.uploads[id]
	if u == nil {
		return textReply(http.StatusNotFound, "no such upload")
	}
	content, err := uploaded(r, body)
	if err != nil || len(content) != u.length {
		return textReply(http.StatusBadRequest, "the bytes are not as many as were announced")
	}
	u.file.Content, u.posted = content, true
	return textReply(http.StatusOK, "OK - "+strconv.Itoa(len(content)))
}

func uploaded(r *http.Request, body []byte) ([]byte, error) {
	kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if !strings.HasPrefix(kind, "multipart/") {
		return body, nil
	}
	part, err := multipart.NewReader(bytes.NewReader(body), params["boundary"]).NextPart()
	if err != nil {
		return nil, err
	}
	return io.ReadAll(part)
}

// filesComplete shares uploaded files in a channel: all of them, in one message, or none.
func filesComplete(w *Workspace, st *state, a args) answer {
	var files []struct {
		ID    string `json:"id"`
		Title string `json:"title"`
	}
	if json.Unmarshal([]byte(a["files"]), &files) != nil || len(files) == 0 {
		return fail("invalid_arguments", "[ERROR] files is a list of ids and titles")
	}
	channel := a["channel_id"]
	if channel != "" {
		c, err := st.channel(channel)
		switch {
		case err != nil || strings.HasPrefix(channel, "U"): // unlike chat.postMessage, a person's id does not do
			return fail("channel_not_found")
		case c.BotAbsent:
			return fail("not_in_channel")
		}
	}
	for _, f := range files { // all of them, before any is shared
		if u := st.uploads[f.ID]; u == nil || !u.posted {
			return fail("file_not_found")
		}
	}
	thread := threadRoot(st.messages[channel], a["thread_ts"])
	shared := []any{}
	for _, f := range files {
		file := st.uploads[f.ID].file
		file.Title, file.Channel, file.ThreadTS = orDefault(f.Title, file.Name), channel, thread
		delete(st.uploads, f.ID)
		st.files = append(st.files, file)
		shared = append(shared, map[string]any{"id": f.ID, "title": file.Title})
	}
	if channel != "" {
		m := Message{Channel: channel, User: w.botUserID(), TS: w.nextTS(st), Text: a["initial_comment"], ThreadTS: thread}
		st.messages[channel] = append(st.messages[channel], m)
	}
	return answer{"ok": true, "files": shared}
}

// Files are those that were shared in a channel, oldest first.
func (w *Workspace) Files(channel string) []File {
	st := w.lock()
	defer w.unlock()
	var out []File
	for _, f := range st.files {
		if f.Channel == channel {
			out = append(out, f)
		}
	}
	return out
}
