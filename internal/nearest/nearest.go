// Package nearest finds the word that somebody most likely meant, so that a refusal can offer it.
package nearest

import "strings"

// tooLong is more letters than any word that is offered; longer ones are not compared.
const tooLong = 64

// Word returns the offered word that a person most likely meant, and false when none is near. Case does not count, and
// neither does whether words are joined by hyphens or underscores. Of equally near ones the first counts.
func Word(meant string, offered []string) (string, bool) {
	word := plain(meant)
	best, limit := "", min(2+len(word)/3, 6)
	for _, o := range offered {
		candidate := plain(o)
		if len(word) >= 3 && strings.HasPrefix(candidate, word) {
			return o, true
		}
		// Of a short word most letters must be there: "ina" is not what "china" means.
		if d := distance(word, candidate); d < min(limit, max(1, len(word))) && 2*d <= max(2, len(candidate)) {
			best, limit = o, d
		}
	}
	return best, best != ""
}

func plain(s string) string { return strings.ToLower(strings.ReplaceAll(s, "-", "_")) }

// distance counts the letters to add, drop, change or swap to make b of a.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > tooLong || len(y) > tooLong {
		return max(len(x), len(y))
	}
	d := make([][]int, len(x)+1)
	for i := range d {
		d[i] = make([]int, len(y)+1)
		d[i][0] = i
	}
	for j := range y {
		d[0][j+1] = j + 1
	}
	for i, r := range x {
		for j, s := range y {
			cost := 1
			if r == s {
				cost = 0
			}
			d[i+1][j+1] = min(d[i][j+1]+1, d[i+1][j]+1, d[i][j]+cost)
			if i > 0 && j > 0 && r == y[j-1] && x[i-1] == s {
				d[i+1][j+1] = min(d[i+1][j+1], d[i-1][j-1]+1)
			}
		}
	}
	return d[len(x)][len(y)]
}
