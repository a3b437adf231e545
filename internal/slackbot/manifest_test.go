package slackbot_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/internal/slackbot/intake"
	"github.com/mde-ops/mde-ops/internal/slackbot/manifest"
)

// Slack posts where the app's manifest says, and the bot listens there.
func TestTheManifestNamesThePathsThatAreTaken(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{intake.PathCommands, intake.PathInteractions, intake.PathOptions, intake.PathEvents},
		[]string{manifest.PathCommands, manifest.PathInteractions, manifest.PathOptions, manifest.PathEvents})
}
