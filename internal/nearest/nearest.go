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

// distance is the number of steps to make b of a, where a step inserts, deletes
// or replaces a byte, or swaps two neighbours, each byte being touched once
// (optimal string alignment).
func distance(a, b string) int {
	d := make([][]int, len(a)+1) // d[i][j]: from a[:i] to b[:j]
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replace := d[i-1][j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			d[i][j] = min(replace, d[i-1][j]+1, d[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
