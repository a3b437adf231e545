package policy

import "strings"

// Fields lists what conditions can read of each object, for the test of the page about it.
func Fields() map[string][]string {
	out := map[string][]string{}
	for object, list := range newVocabulary(nil).objects {
		for _, a := range list {
			name := strings.ToLower(object)
			out[name] = append(out[name], a.name)
		}
	}
	return out
}
