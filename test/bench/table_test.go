package bench

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	clients = 8
	rounds  = 3
	runFor  = 3 * time.Second
)

// rate runs work in every client for a while and gives how many a second.
func rate(b *testing.B, runFor time.Duration, work func(client int) error) float64 {
	b.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	n, start := 0, time.Now()
	for i := range clients {
		wg.Go(func() {
			for time.Since(start) < runFor {
				if err := work(i); err != nil {
					b.Error(err)
					return
				}
				mu.Lock()
				n++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return float64(n) / time.Since(start).Seconds()
}

// figure is a line of the table.
type figure struct {
	what, beside string
	ours, theirs float64
	ratio, aim   float64
}

type table struct {
	between func() // tidies up after each turn
	lines   []figure
	memory  []string
}

// compare runs both in turn, several times, since the machine may have other
// work. The ratio is the median of the turns'.
func (t *table) compare(b *testing.B, what string, ours func(int) error, beside string, theirs func(int) error, aim float64) {
	b.Helper()
	var os, ts, ratios []float64
	for range rounds {
		them := rate(b, runFor, theirs)
		t.tidy()
		us := rate(b, runFor, ours)
		t.tidy()
		if b.Failed() {
			b.FailNow()
		}
		os, ts, ratios = append(os, us), append(ts, them), append(ratios, us/them)
	}
	t.lines = append(t.lines, figure{what, beside, middle(os), middle(ts), middle(ratios), aim})
}

func (t *table) tidy() {
	if t.between != nil {
		t.between()
	}
}

func middle(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}

func (t *table) print() {
	var s strings.Builder
	fmt.Fprintf(&s, "\n%-48s %9s   %-34s %9s %7s %6s\n", "", "a second", "beside", "a second", "ratio", "aim")
	for _, f := range t.lines {
		aim := "-"
		if f.aim > 0 {
			aim = fmt.Sprintf("%.2f", f.aim)
		}
		if f.ratio < f.aim {
			aim += "  short of it"
		}
		fmt.Fprintf(&s, "%-48s %9.1f   %-34s %9.1f %7.2f %6s\n", f.what, f.ours, f.beside, f.theirs, f.ratio, aim)
	}
	for _, m := range t.memory {
		fmt.Fprintln(&s, m)
	}
	fmt.Print(s.String())
}
