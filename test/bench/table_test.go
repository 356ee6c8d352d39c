package bench

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	clients = 8
	rounds  = 3
	runFor  = 3 * time.Second
)

// pace is how many a second, and the processor time that the whole machine took
// for each: clients, server, object store and kernel.
type pace struct {
	perSecond float64
	processor time.Duration
}

// rate runs work in every client for a while. What was written goes to the disk
// within that time: the kernel would do it later, in somebody else's.
func rate(b *testing.B, runFor time.Duration, work func(client int) error) pace {
	b.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	syscall.Sync()
	busy := processor(b)
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
	syscall.Sync()
	return pace{float64(n) / time.Since(start).Seconds(), (processor(b) - busy) / time.Duration(max(1, n))}
}

// processor is the time for which the machine's processors have worked since it
// started (proc_stat(5): all but idle and waiting for input and output).
func processor(b *testing.B) time.Duration {
	b.Helper()
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		b.Fatal(err)
	}
	var user, nice, system, idle, waiting, irq, softirq, steal int64
	if _, err := fmt.Sscanf(string(stat), "cpu %d %d %d %d %d %d %d %d", &user, &nice, &system, &idle, &waiting, &irq, &softirq, &steal); err != nil {
		b.Fatal(err)
	}
	return time.Duration(user+nice+system+irq+softirq+steal) * 10 * time.Millisecond
}

// figure is a line of the table.
type figure struct {
	what, beside string
	ours, theirs pace
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
	var us, them []pace
	var ratios []float64
	for range rounds {
		theirPace := rate(b, runFor, theirs)
		t.tidy()
		ourPace := rate(b, runFor, ours)
		t.tidy()
		if b.Failed() {
			b.FailNow()
		}
		us, them, ratios = append(us, ourPace), append(them, theirPace), append(ratios, ourPace.perSecond/theirPace.perSecond)
	}
	slices.Sort(ratios)
	t.lines = append(t.lines, figure{what, beside, middle(us), middle(them), ratios[rounds/2], aim})
}

func (t *table) tidy() {
	if t.between != nil {
		t.between()
	}
}

// middle is the median turn.
func middle(turns []pace) pace {
	slices.SortFunc(turns, func(a, b pace) int { return cmp.Compare(a.perSecond, b.perSecond) })
	return turns[len(turns)/2]
}

func (t *table) print() {
	var s strings.Builder
	fmt.Fprintf(&s, "\n%-44s %9s %7s   %-34s %9s %7s %7s %6s\n", "", "a second", "CPU ms", "beside", "a second", "CPU ms", "ratio", "aim")
	for _, f := range t.lines {
		aim := "-"
		if f.aim > 0 {
			aim = fmt.Sprintf("%.2f", f.aim)
		}
		if f.ratio < f.aim {
			aim += "  short of it"
		}
		ms := func(p pace) float64 { return float64(p.processor.Microseconds()) / 1000 }
		fmt.Fprintf(&s, "%-44s %9.1f %7.1f   %-34s %9.1f %7.1f %7.2f %6s\n", f.what, f.ours.perSecond, ms(f.ours), f.beside, f.theirs.perSecond, ms(f.theirs), f.ratio, aim)
	}
	for _, m := range t.memory {
		fmt.Fprintln(&s, m)
	}
	fmt.Print(s.String())
}
