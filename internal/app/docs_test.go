package app

import (
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// settings are the variables that the struct tags of a configuration declare, with their defaults.
func settings(t *testing.T, typ reflect.Type, prefix string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("env"), ",")
		option, value, _ := strings.Cut(strings.TrimSpace(options), "=")
		switch {
		case name != "":
			require.Contains(t, []string{"", "default"}, option, f.Name)
			all[prefix+name] = value
		case option == "prefix":
			maps.Copy(all, settings(t, f.Type, prefix+value))
		case f.Type.Kind() == reflect.Struct:
			maps.Copy(all, settings(t, f.Type, prefix))
		}
	}
	return all
}

const documentation = "../../docs/configuration.md"

// TestEverySettingIsDocumented keeps docs/configuration.md complete: one table row for each variable, with its default.
func TestEverySettingIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(documentation)
	require.NoError(t, err)
	rows := strings.Split(string(text), "\n")
	for name, def := range settings(t, reflect.TypeFor[Config](), "") {
		i := slices.IndexFunc(rows, func(r string) bool {
			first, _, _ := strings.Cut(strings.TrimPrefix(r, "|"), "|")
			return strings.HasPrefix(r, "|") && strings.Contains(first, "`"+name+"`")
		})
		require.GreaterOrEqual(t, i, 0, "%s has no row in docs/configuration.md", name)
		require.Contains(t, rows[i], def, "the default of %s", name)
		if isSecret(name) {
			require.Contains(t, string(text), "_FILE`", name)
		}
	}
}

// TestNothingElseIsDocumented refuses a row for a variable that does not exist, such as one that was renamed.
func TestNothingElseIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(documentation)
	require.NoError(t, err)
	known := settings(t, reflect.TypeFor[Config](), "")
	require.Greater(t, len(known), 30)
	for _, m := range regexp.MustCompile("`(MDE_[A-Z0-9_]*[A-Z0-9])(?:=[^`]*)?`").FindAllStringSubmatch(string(text), -1) {
		name := m[1]
		if _, ok := known[name]; ok || isDevelopers(name) {
			continue
		}
		secret, isFile := strings.CutSuffix(name, "_FILE")
		_, ok := known[secret]
		require.True(t, isFile && ok && isSecret(secret), "docs/configuration.md has %s, which is no setting", name)
	}
}
