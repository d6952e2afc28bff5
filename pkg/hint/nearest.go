package hint

import "strings"

// Nearest returns the candidate that a typing error away from word lies, or "".
func Nearest(word string, candidates []string) string {
	best, found := 3, ""
	for _, c := range candidates {
		d := distance(word, c)
		// The start of a name is as good as a typing error.
		if len(word) >= 3 && strings.HasPrefix(c, word) {
			d = min(d, 1)
		}
		if d < best {
			best, found = d, c
		}
	}
	return found
}

// distance is the Levenshtein distance.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
