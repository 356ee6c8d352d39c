//go:build !race

package e2e

// opens is how many open a single-use link at once.
const opens = 10_000
