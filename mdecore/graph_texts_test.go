package mdecore_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

func TestTextsOfGraphAreRefusedByTheirNames(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, `{"id":"`+incidentID+`"}`))
	c := s.clientOf(t)
	update := func(field, text string) mdecore.UpdateIncidentRequest {
		return map[string]mdecore.UpdateIncidentRequest{
			"display name": {DisplayName: text}, "owner": {AssignedTo: &text}, "custom tag": {CustomTags: []string{"x", text}},
			"resolving comment": {ResolvingComment: text}, "description": {Description: text}, "summary": {Summary: text},
		}[field]
	}
	for field, line := range map[string]bool{
		"display name": true, "owner": true, "custom tag": true, "resolving comment": false, "description": false, "summary": false,
	} {
		bad := []string{"\xff", " ", strings.Repeat("é", 4001)}
		if line {
			bad = append(bad, "a\nb", "a\x00", "\x1b[2J", "a\x7f", "\t")
		}
		for _, text := range bad {
			_, err := c.UpdateIncident(t.Context(), incidentID, update(field, text))
			var invalid *mdecore.InvalidError
			require.ErrorAs(t, err, &invalid, "%s %.10q", field, text)
			require.Equal(t, field, invalid.Field)
		}
		good := []string{"é", strings.Repeat("é", 4000)}
		if !line {
			good = append(good, "two\nlines\tand a tab")
		}
		before := len(s.received())
		for _, text := range good {
			_, err := c.UpdateIncident(t.Context(), incidentID, update(field, text))
			require.NoError(t, err, "%s %.10q", field, text)
		}
		require.Len(t, s.received(), before+len(good))
	}
	two := "a\nb"
	_, err := c.UpdateAlertV2(t.Context(), alertID, mdecore.UpdateAlertV2Request{AssignedTo: &two})
	var invalid *mdecore.InvalidError
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, "owner", invalid.Field)
}
