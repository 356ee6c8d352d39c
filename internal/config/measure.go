package config

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// measures are the metrics of the whole: what works, what waits. The database
// answers most of them, so every server tells the same.
type measures struct{ s *System }

var (
	measureBuild   = prometheus.NewDesc("wardseal_build_info", "1, with the version as a label.", []string{"version"}, nil)
	measureReady   = prometheus.NewDesc("wardseal_ready", "1 when a part could do its work at this moment, as /readyz says.", []string{"part"}, nil)
	measureJobs    = prometheus.NewDesc("wardseal_jobs", "Work in the background that is not done: ready, or given up (dead).", []string{"state"}, nil)
	measureOldest  = prometheus.NewDesc("wardseal_jobs_oldest_seconds", "How long the oldest work in the background has been due.", nil, nil)
	measureSpool   = prometheus.NewDesc("wardseal_spool_memory_bytes", "Memory that uploads being received take on this server.", nil, nil)
	measureUnfound = prometheus.NewDesc("wardseal_measures_failed", "1 when the database could not be asked for the other measures.", nil, nil)
)

// Describe implements prometheus.Collector.
func (measures) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{measureBuild, measureReady, measureJobs, measureOldest, measureSpool, measureUnfound} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (m measures) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(measureBuild, 1, Version())
	gauge(measureSpool, float64(m.s.spool.InMemory()))
	for part, err := range m.s.ready(ctx) {
		gauge(measureReady, one(err == nil), part)
	}
	backlog, err := m.s.Store.JobBacklog(ctx)
	if err == nil {
		gauge(measureJobs, float64(backlog.Ready), "ready")
		gauge(measureJobs, float64(backlog.Dead), "dead")
		gauge(measureOldest, max(0, backlog.Oldest.Seconds()))
	}
	if err != nil {
		slog.WarnContext(ctx, "measure the database", "error", err)
	}
	gauge(measureUnfound, one(err != nil))
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
