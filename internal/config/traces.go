package config

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

// Traces says where spans of requests go. Without an endpoint none are made.
type Traces struct {
	Endpoint string  `env:"WARDSEAL_TRACES_ENDPOINT" placeholder:"URL" help:"An OpenTelemetry collector that takes spans of requests (OTLP over HTTP), such as https://collector.example:4318/v1/traces. They name routes, steps and times, and no person, patient, item or secret."`
	Share    float64 `default:"1" env:"WARDSEAL_TRACES_SHARE" help:"Of how many requests spans are kept: 0.1 for one in ten."`
	CAFile   string  `type:"path" env:"WARDSEAL_TRACES_CA_FILE" help:"Certificate authority (PEM) that the collector's certificate is checked against, if not a public one."`
}

// check says what is wrong with the settings.
func (c Traces) check() error {
	if c.Endpoint == "" {
		return nil
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && (u.Scheme != "http" || !local(u.Hostname())) {
		return errors.New("--traces-endpoint must be an https URL (http only to this machine)")
	}
	if c.Share <= 0 || c.Share > 1 {
		return errors.New("--traces-share is between 0 and 1; without an endpoint nothing is kept")
	}
	return nil
}

// provider makes what takes spans, or nil.
func (c Traces) provider(ctx context.Context) (*trace.TracerProvider, error) {
	if c.Endpoint == "" {
		return nil, nil
	}
	opts := []otlptracehttp.Option{otlptracehttp.WithEndpointURL(c.Endpoint)}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the authority of the collector: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, errors.New("there is no certificate in the authority of the collector")
		}
		opts = append(opts, otlptracehttp.WithTLSClientConfig(&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}))
	}
	out, err := otlptracehttp.New(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("reach the collector of spans: %w", err)
	}
	// A collector that is down loses spans, and nothing else.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { slog.Warn("spans are lost", "error", err) }))
	about := resource.NewSchemaless(attribute.String("service.name", "wardseal"), attribute.String("service.version", Version()))
	return trace.NewTracerProvider(trace.WithBatcher(out), trace.WithResource(about), trace.WithSampler(trace.TraceIDRatioBased(c.Share))), nil
}
