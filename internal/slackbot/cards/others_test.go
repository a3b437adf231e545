package cards

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/interop/npm"
)

// TestOthersTypesTakeEveryPicture has Slack's own types look at every screen that there is a picture of.
func TestOthersTypesTakeEveryPicture(t *testing.T) {
	t.Parallel()
	npm.Folder(t)
	source := &strings.Builder{}
	source.WriteString("import type { KnownBlock, ModalView } from '@slack/types';\n")
	n := 0
	for _, pictures := range []map[string]picture{waiting(), decided(), around(), windows(), threads(), tellings()} {
		for _, name := range slices.Sorted(maps.Keys(pictures)) {
			kind, value := asSent(t, pictures[name])
			fmt.Fprintf(source, "export const p%d: %s = %s; // %s\n", n, kind, value, name)
			n++
		}
	}
	require.Greater(t, n, 30)
	require.Empty(t, npm.TypeCheck(t, source.String()))
	for what, change := range map[string][2]string{
		"style": {`"style":"primary"`, `"style":"huge"`}, "type": {`"type":"section"`, `"type":"sektion"`}, "field": {`"block_id":`, `"blok_id":`},
	} {
		bad := strings.Replace(source.String(), change[0], change[1], 1)
		require.NotEmpty(t, npm.TypeCheck(t, bad), "%s: a compiler that takes this checks nothing", what)
	}
}

// asSent is a picture as it is sent, and the type that Slack has for it.
func asSent(t *testing.T, p picture) (kind string, value []byte) {
	t.Helper()
	r := attacked()
	if p.change != nil {
		p.change(&r)
	}
	r = seal(t, r)
	var sent any
	switch {
	case p.window != nil:
		kind, sent = "ModalView", p.window(r)
	case p.draw != nil:
		kind, sent = "KnownBlock[]", p.draw(r, p.around).Blocks
	default:
		kind, sent = "KnownBlock[]", Card(r, p.around).Blocks
	}
	value, err := json.Marshal(sent)
	require.NoError(t, err)
	return kind, value
}
