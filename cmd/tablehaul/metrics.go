package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// pages are what a run tells those who ask.
type pages struct {
	collectors []prometheus.Collector
	unready    func() string           // why it is not ready, or ""
	status     func(w io.Writer) error // prints one JSON object
}

// A metricsServer answers Prometheus, and whoever asks whether the run is well.
type metricsServer struct {
	addr   string // as it listens
	server *http.Server
	done   chan struct{}
}

// serveMetrics listens at addr, which fails before the run has done anything.
func serveMetrics(addr string, p pages, hide secrets, warn func(string)) (*metricsServer, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("--metrics: %w", err), "another process may use the port: choose another one")
	}
	m := &metricsServer{
		addr:   l.Addr().String(),
		server: &http.Server{Handler: metricsHandler(p, hide), ReadHeaderTimeout: 10 * time.Second},
		done:   make(chan struct{}),
	}
	go func() {
		defer close(m.done)
		if err := m.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			warn("metrics are no longer served: " + err.Error())
		}
	}()
	return m, nil
}

func (m *metricsServer) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if m.server.Shutdown(ctx) != nil {
		_ = m.server.Close() // who still asks gets no answer
	}
	<-m.done
}

func metricsHandler(p pages, hide secrets) http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(p.collectors...)
	reg.MustRegister(buildInfo(), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("/status", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = p.status(hide.writer(w)) // who asked may be gone
	})
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := p.unready(); why != "" {
			http.Error(w, hide.redact(why), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return mux
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("tablehaul_"+name, help, labels, nil)
}

func gauge(name, help string, value float64) prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Name: "tablehaul_" + name, Help: help})
	g.Set(value)
	return g
}

func buildInfo() prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "tablehaul_build_info", Help: "1, with what the program was built from.",
		ConstLabels: prometheus.Labels{"version": versionNumber(), "goversion": runtime.Version()},
	})
	g.Set(1)
	return g
}
