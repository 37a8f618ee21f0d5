package supervise

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// The splay is drawn once for all changes of a batch, and anew for the next.
func TestLoopSplay(t *testing.T) {
	c := &rotated{random: []float64{0.5, 0.9, 0.25}}
	rotate(t, rotationRules(Rotation{Debounce: time.Second, Splay: 20 * time.Second}), c, func() {
		c.changec <- Change{}
		c.changec <- Change{}
		time.Sleep(time.Minute)
		c.changec <- Change{}
		c.stopAt(time.Hour)
	})
	expect(t, c.times("deliverChange"), []string{"11s", "1m6s"})
}

// Replicas do not move together: each draws a time of its own, below the splay.
func TestP8SplayOfReplicas(t *testing.T) {
	const replicas, splay = 20, 20 * time.Second
	for name, source := range map[string]func() float64{
		"with a seed": rand.New(rand.NewPCG(1, 2)).Float64,
		"by default":  (&loop{}).draw,
	} {
		delays := map[time.Duration]bool{}
		for range replicas {
			c := &rotated{source: source}
			rotate(t, rotationRules(Rotation{Debounce: time.Second, Splay: splay}), c, func() {
				c.changec <- Change{}
				c.stopAt(time.Hour)
			})
			delivered, err := time.ParseDuration(strings.Join(c.times("deliverChange"), " and "))
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			delays[delivered-time.Second] = true
		}
		sorted := slices.Sorted(maps.Keys(delays))
		least, most := sorted[0], sorted[len(sorted)-1]
		if len(sorted) != replicas || least < 0 || most >= splay || most-least < splay/4 { // by chance once in 10^10 runs
			t.Errorf("%s: %d replicas waited for %v", name, replicas, sorted)
		}
	}
}
