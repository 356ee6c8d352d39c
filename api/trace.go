package api

import (
	"github.com/gin-gonic/gin"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// traced makes a span of each request: its route's pattern, method, status and
// request ID, which finds it in the log; never its path, query, body, person or
// item. What a client sends of its own traces is not believed.
func (s *Server) traced(c *gin.Context) {
	route := c.FullPath()
	if route == "" {
		route = "none"
	}
	ctx, span := s.tracer.Start(c.Request.Context(), c.Request.Method+" "+route, trace.WithNewRoot(), trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(attribute.String("http.request.method", c.Request.Method), attribute.String("http.route", route), attribute.String("wardseal.request", requestID(c))))
	defer span.End()
	c.Request = c.Request.WithContext(ctx)
	c.Next()
	span.SetAttributes(attribute.Int("http.response.status_code", c.Writer.Status()))
	if c.Writer.Status() >= 500 {
		span.SetStatus(codes.Error, "")
	}
}
