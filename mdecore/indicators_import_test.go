package mdecore_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mde-ops/mde-ops/mdecore"
)

func TestOfTwoResultsOfAnImportTheBadOneCounts(t *testing.T) {
	t.Parallel()
	value, upper := newIndicator().IndicatorValue, strings.ToUpper(newIndicator().IndicatorValue)
	bad := func(v string) string { return `{"indicator":"` + v + `","isFailed":true,"failureReason":"no room"}` }
	good := func(v string) string { return `{"id":"5","indicator":"` + v + `","isFailed":false}` }
	for _, results := range [][]string{
		{bad(value), good(value)},
		{good(value), bad(value)},
		{good(value), bad(value), good(value)},
		{bad(upper), good(value)},
		{good(value), bad(upper)},
		{bad(value), good(upper)},
		{good(upper), bad(value)},
		{good(upper), bad(upper)},
	} {
		s := newService(t, answer(200, `{"value":[`+strings.Join(results, ",")+`]}`))
		got, err := s.clientOf(t).ImportIndicators(t.Context(), []mdecore.IndicatorRequest{newIndicator()})
		require.True(t, mdecore.Refused(err), "%v: %v", results, err)
		require.ErrorContains(t, got[0].Err, "no room")
		require.Empty(t, got[0].IndicatorID)
	}
	for _, results := range []string{good(value), good(upper), good(value) + "," + good(upper)} {
		s := newService(t, answer(200, `{"value":[`+results+`]}`))
		got, err := s.clientOf(t).ImportIndicators(t.Context(), []mdecore.IndicatorRequest{newIndicator()})
		require.NoError(t, err)
		require.Equal(t, "5", got[0].IndicatorID)
	}
}

// Only the path of a URL tells upper from lower case, so that one of these two is not the other.
func TestTheResultOfAnotherAddressDoesNotCount(t *testing.T) {
	t.Parallel()
	lower, upper := newIndicator(), newIndicator()
	lower.IndicatorType, lower.IndicatorValue = mdecore.IndicatorURL, "https://evil.example/a"
	upper.IndicatorType, upper.IndicatorValue = mdecore.IndicatorURL, "https://evil.example/A"
	s := newService(t, answer(200, `{"value":[{"id":"5","indicator":"https://evil.example/a"},
		{"indicator":"https://evil.example/A","isFailed":true}]}`))
	got, err := s.clientOf(t).ImportIndicators(t.Context(), []mdecore.IndicatorRequest{lower, upper})
	require.Error(t, err)
	require.Equal(t, "5", got[0].IndicatorID)
	require.True(t, mdecore.Refused(got[1].Err))
	s = newService(t, answer(200, `{"value":[{"id":"5","indicator":"https://evil.example/a"}]}`))
	got, err = s.clientOf(t).ImportIndicators(t.Context(), []mdecore.IndicatorRequest{upper})
	require.Error(t, err)
	require.True(t, mdecore.Uncertain(got[0].Err))
}

func TestANullResultOfAnImportIsNoResult(t *testing.T) {
	t.Parallel()
	s := newService(t, answer(200, `{"value":[null]}`))
	_, err := s.clientOf(t).ImportIndicators(t.Context(), []mdecore.IndicatorRequest{newIndicator()})
	require.True(t, mdecore.Uncertain(err), "%v", err)
}
