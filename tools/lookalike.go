package tools

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/mde-ops/mde-ops/mdecore"
)

// maxAlike bounds how many devices one plan warns of for their names; the rest are counted.
const maxAlike = 20

// asciiLower is s with the capital letters of ASCII in lower case, and nothing else changed: some letters of other scripts
// have an ASCII letter as their lower case.
func asciiLower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}

// plainName reports whether a name holds only what the names of devices are made of.
func plainName(s string) bool {
	for _, r := range s {
		plain := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".-_", r)
		if !plain {
			return false
		}
	}
	return true
}

// exposed is a name whose letters that are not plain ASCII are shown by their numbers, so that none is taken for another.
func exposed(name string) string {
	var b strings.Builder
	for _, r := range name {
		if r > unicode.MaxASCII {
			fmt.Fprintf(&b, "<U+%04X>", r)
			continue
		}
		b.WriteRune(r)
	}
	return clean(b.String(), 200)
}

// lookalikes warns of devices whose names can be taken for others: by letters that are not plain ASCII, or because another
// target's name looks the same. Ids decide, and so they are named.
func lookalikes(devices []*mdecore.Machine) []string {
	var warnings []string
	bySight := make(map[string]*mdecore.Machine, len(devices))
	for _, m := range devices {
		if m.ComputerDNSName == "" {
			continue
		}
		if !plainName(m.ComputerDNSName) {
			warnings = append(warnings, fmt.Sprintf("%s: its name is not plain ASCII and may only look like another one; go by the id", label(m)))
		}
		key := skeleton(m.ComputerDNSName)
		if other, taken := bySight[key]; taken {
			warnings = append(warnings, fmt.Sprintf("%s has id %s and %s has id %s: their names look alike; go by the ids",
				named(other), other.ID, named(m), m.ID))
			continue
		}
		bySight[key] = m
	}
	if len(warnings) > maxAlike {
		more := len(warnings) - maxAlike
		warnings = append(warnings[:maxAlike], fmt.Sprintf("%d more names of devices can be taken for others; go by the ids", more))
	}
	return warnings
}

func named(m *mdecore.Machine) string {
	return `"` + strings.ReplaceAll(exposed(m.ComputerDNSName), `"`, `'`) + `"`
}

// skeleton is what a name looks like: two names with the same one can be taken for each other. It knows the letters that
// are drawn like ASCII ones in the scripts whose look-alikes are used most, and pairs of ASCII letters.
func skeleton(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSuffix(name, ".")) {
		switch {
		case hidden(r) || unicode.Is(unicode.Mn, r): // drawn as nothing, or on the letter before
		case r >= 0xff01 && r <= 0xff5e: // full width
			b.WriteRune(sight(unicode.ToLower(r - 0xfee0)))
		default:
			b.WriteRune(sight(r))
		}
	}
	return strings.NewReplacer("rn", "m", "vv", "w").Replace(b.String())
}

// alike lists, after each ASCII letter, what is drawn like it.
const alike = "aаαɑàáâãäåā cсϲƈçć dԁɗ eеєҽèéêëē gɡց hһհ iіιıíìîïl1|ӏⅼǀ jјϳ kκкķ mмⅿ nոпñ oоοօσòóôõö0ø pрρ qԛ rгř sѕꜱš uυսüúùû vνѵⅴ wԝѡ xхχⅹ yуүγý zᴢž bьƅ tтτ -_‐‑–−ー fſ .。․"

// sight is the ASCII letter that r is drawn like, or r.
func sight(r rune) rune {
	for group := range strings.FieldsSeq(alike) {
		if strings.ContainsRune(group, r) {
			return rune(group[0])
		}
	}
	return r
}
