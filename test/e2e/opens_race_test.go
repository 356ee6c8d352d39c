//go:build race

package e2e

// opens is how many open a single-use link at once; the race detector makes
// each some ten times as dear.
const opens = 1_000
