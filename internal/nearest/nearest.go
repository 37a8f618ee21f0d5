// Package nearest finds what a misspelt name was meant to be.
package nearest

import (
	"slices"
	"strings"
)

// To returns the words among those given that are close enough to name to be
// what was meant, the closest first, three at the most. A word that differs in
// case or separators only is always close enough.
func To(name string, among []string) []string {
	type candidate struct {
		word string
		dist int
	}
	var found []candidate
	for _, word := range among {
		dist := distance(fold(name), fold(word))
		if dist <= len(name)/3 {
			found = append(found, candidate{word, dist})
		}
	}
	slices.SortFunc(found, func(a, b candidate) int {
		if a.dist != b.dist {
			return a.dist - b.dist
		}
		return strings.Compare(a.word, b.word)
	})
	var words []string
	for _, c := range found[:min(3, len(found))] {
		words = append(words, c.word)
	}
	return words
}

func fold(s string) string {
	return strings.NewReplacer("-", "_", ".", "_", " ", "_").Replace(strings.ToLower(s))
}

// distance is the number of bytes to insert, delete or replace to make a of b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(diagonal+cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
