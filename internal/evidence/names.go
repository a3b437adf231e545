package evidence

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName bounds a sanitised name, in bytes.
const maxName = 120

// SafeName makes a file name that a device gave harmless to store, show and save: the last part of a path, without control
// and invisible characters, without what any file system reserves, at most 120 bytes with its extension kept. A link loses
// its query, because that can hold a signature. An empty result is "evidence".
func SafeName(name string) string {
	name = strings.ToValidUTF8(name, "_")
	if low := strings.ToLower(name); strings.Contains(low, "://") || strings.Contains(low, "sig=") {
		name, _, _ = strings.Cut(name, "?")
		name, _, _ = strings.Cut(name, "#")
	}
	name = strings.TrimRight(name, `/\`)
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(safeRune, name)
	name = strings.Trim(name, " .")
	name = shorten(name)
	switch {
	case name == "":
		return "evidence"
	case name[0] == '-' || name[0] == '~' || reserved(name):
		return shorten("_" + name)
	}
	return name
}

// safeRune drops what can't be seen or turns the direction of what is, and replaces what paths and shells read.
func safeRune(r rune) rune {
	switch {
	case r == ' ':
		return r
	case unicode.Is(unicode.Variation_Selector, r) || r == '\u115f' || r == '\u1160' || r == '\u3164' || r == '\uffa0':
		return -1
	case !unicode.IsPrint(r): // controls, formats, private use, spaces other than ' '
		return -1
	case strings.ContainsRune("<>:\"|?*/\\`$'&;", r) || r == '\u2215' || r == '\u2044' || r == '\uff0f' || r == '\u29f8':
		return '_'
	}
	return r
}

// reserved reports whether Windows takes the name for a device, whatever its extension.
func reserved(name string) bool {
	stem, _, _ := strings.Cut(strings.ToLower(name), ".")
	stem = strings.TrimRight(stem, " ")
	if slices.Contains([]string{"con", "prn", "aux", "nul", "conin$", "conout$"}, stem) {
		return true
	}
	rest, ok := strings.CutPrefix(stem, "com")
	if !ok {
		rest, ok = strings.CutPrefix(stem, "lpt")
	}
	return ok && utf8.RuneCountInString(rest) == 1 && strings.Contains("0123456789¹²³", rest)
}

// shorten cuts a name in its middle, at whole characters, so that the extension stays.
func shorten(name string) string {
	if len(name) <= maxName {
		return name
	}
	ext := ""
	if i := strings.LastIndexByte(name, '.'); i > 0 && len(name)-i <= 16 {
		ext = name[i:]
	}
	cut := maxName - len(ext)
	for cut > 0 && !utf8.RuneStart(name[cut]) {
		cut--
	}
	return strings.TrimRight(name[:cut], " .") + ext
}
