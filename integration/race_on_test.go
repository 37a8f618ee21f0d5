//go:build race

package integration

// raceEnabled says that go test was given -race: then the program under test
// is built with it too.
const raceEnabled = true
