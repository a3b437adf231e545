package slackbot

import "strings"

// nearest returns the word of list that a person most likely meant, and false when none is near.
func nearest(word string, list []string) (string, bool) {
	best, bestAt := "", 1+max(1, len(word)/3)
	for _, w := range list {
		if len(word) >= 3 && strings.HasPrefix(w, word) {
			return w, true
		}
		if d := distance(word, w); d < bestAt {
			best, bestAt = w, d
		}
	}
	return best, best != ""
}

// distance counts the letters to add, drop, change or swap to make b of a.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	if len(x) > 40 || len(y) > 40 {
		return max(len(x), len(y)) // nobody mistypes a word that long
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
