package config

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/wardseal/wardseal/api"
	"github.com/wardseal/wardseal/internal/fsck"
	"github.com/wardseal/wardseal/internal/words"
)

// openScrub makes what reads the store again and again, and its metrics.
func (s *System) openScrub() error {
	s.scrubber = &fsck.Scrubber{
		Store: s.Store, Every: s.Config.Limits.ScrubEvery,
		Checker: &fsck.Checker{Store: s.Store, Objects: s.Objects, Ring: s.Ring},
	}
	return s.metrics.Registry.Register(scrubbed{s})
}

// Scrub reads at once the next slice of what is read in the background, and
// gives how many objects it read.
func (s *System) Scrub(ctx context.Context) (int, error) { return s.scrubber.Slice(ctx) }

// scrubbed is the metrics of scrubbing. They are read from the database, so
// that every server tells the same.
type scrubbed struct{ s *System }

var (
	scrubDamaged = prometheus.NewDesc("wardseal_scrub_damaged", "Objects that are not as they should be, of those read in this round and the one before, whichever found more.", nil, nil)
	scrubChecked = prometheus.NewDesc("wardseal_scrub_checked", "Objects read in this round.", nil, nil)
	scrubTotal   = prometheus.NewDesc("wardseal_scrub_objects", "Objects there were when this round began.", nil, nil)
	scrubAge     = prometheus.NewDesc("wardseal_scrub_round_seconds", "How long ago this round began.", nil, nil)
)

// Describe implements prometheus.Collector.
func (scrubbed) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{scrubDamaged, scrubChecked, scrubTotal, scrubAge} {
		out <- d
	}
}

// Collect implements prometheus.Collector. Without the database there is
// nothing to tell.
func (g scrubbed) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	at, err := g.s.Store.Scrub(ctx)
	if err != nil {
		slog.WarnContext(ctx, "measure the scrub", "error", err)
		return
	}
	gauge := func(d *prometheus.Desc, v float64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
	gauge(scrubDamaged, float64(max(at.Damaged, at.LastDamaged)))
	gauge(scrubChecked, float64(at.Checked))
	gauge(scrubTotal, float64(at.Total))
	if !at.BeganAt.IsZero() {
		gauge(scrubAge, at.Now.Sub(at.BeganAt).Seconds())
	}
}

// scrubStatus tells an administrator whether what is stored is as it should be.
func (s *System) scrubStatus(ctx context.Context) api.Part {
	at, err := s.Store.Scrub(ctx)
	every := s.Config.Limits.ScrubEvery
	p := api.Part{Name: "Stored pictures read again", OK: err == nil}
	switch n := max(at.Damaged, at.LastDamaged); {
	case err != nil:
		p.Says = "It does not answer. The log says why."
	case n > 0:
		p.OK = false
		p.Says = words.Say("NOT AS THEY SHOULD BE: {n}. Run “wardseal fsck” on the server; it says what can be repaired, and what a backup must bring back.", n)
	case every <= 0:
		p.Says = "never on this server: --scrub-every is 0"
	case at.BeganAt.IsZero():
		p.Says = "not yet"
	case at.EndedAt.After(at.BeganAt):
		p.Says = words.Say("all {n}, on {day}; nothing is wrong", at.Checked, words.Date(at.EndedAt))
		if at.Checked == 0 {
			p.Says = words.Say("there was none yet on {day}", words.Date(at.EndedAt))
		}
	default:
		slow := words.Text("")
		if overdue := at.Now.Sub(at.BeganAt) > every+every/10; overdue {
			p.OK = false
			slow = "this is slower than --scrub-every says"
		}
		p.Says = words.Say("{n} of about {all} since {day}; nothing is wrong so far[; {slow}]", at.Checked, at.Total, words.Date(at.BeganAt), slow)
	}
	return p
}
