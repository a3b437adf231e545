package slacksim

import (
	"encoding/json"
	"slices"
)

// ConfigToken is the app configuration token of whoever manages the app: the only one that apps.manifest.export takes.
const ConfigToken = "xoxe.xoxp-simulated" //nolint:gosec // it opens nothing but the simulation

// SetManifest sets what apps.manifest.export gives, a JSON object. Before, the app is one that the token's owner does not manage.
func (w *Workspace) SetManifest(manifest []byte) {
	st := w.lock()
	defer w.unlock()
	st.manifest = slices.Clone(manifest)
}

func appsManifestExport(w *Workspace, st *state, a args) answer {
	switch {
	case a["app_id"] != w.appID():
		return fail("invalid_app_id")
	case st.manifest == nil:
		return fail("app_not_found")
	}
	return answer{"ok": true, "manifest": json.RawMessage(st.manifest)}
}

func botsInfo(w *Workspace, _ *state, a args) answer {
	if a["bot"] != w.botID() {
		return fail("bot_not_found")
	}
	return answer{"ok": true, "bot": map[string]any{
		"id": w.botID(), "app_id": w.appID(), "user_id": w.botUserID(), "name": "mde-ops", "deleted": false,
	}}
}
