package ui

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"

	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/ui/live"
	"github.com/appmarket/operator/ui/terminal"
)

const (
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	idleTimeout   = 2 * time.Minute
	// writeTimeout bounds the writing of a page. Streams set a limit for each write instead.
	writeTimeout = 60 * time.Second
	// shutdownTimeout bounds the time in which requests that are under way can end.
	shutdownTimeout = 10 * time.Second
	maxHeaderBytes  = 64 << 10
)

// serveHTTP serves a handler until the context is done.
func serveHTTP(ctx context.Context, o *options, handler http.Handler, listener net.Listener, hub *live.Hub, terminals *terminal.Manager) error {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
	}
	ended := make(chan error, 1)
	limited := netutil.LimitListener(listener, o.connections)
	serve := func() error {
		if o.certDir == "" {
			return server.Serve(limited)
		}
		server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: o.loadCertificate}
		if o.proxyClientCA != "" {
			// A certificate is verified with the request, so that a page can say what is wrong.
			server.TLSConfig.ClientAuth = tls.RequestClientCert
		}
		return server.ServeTLS(limited, "", "")
	}
	go func() { ended <- outcome.Guarded(serve)() }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve the pages: %w", err)
	case <-ctx.Done():
	}
	hub.Close()
	// The context is done: what is under way has its own limit.
	stop, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	// The server does not know the connections of terminals and streams.
	var closing error
	if terminals != nil {
		closing = terminals.Close(stop)
	}
	if err := server.Shutdown(stop); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop the pages: %w", err)
	}
	hub.WaitForStreams(stop)
	return errors.Join(closing, server.Close())
}

// loadCertificate reads the certificate for each connection, so that a new one is used without a
// restart.
func (o *options) loadCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	found, err := tls.LoadX509KeyPair(o.certificatePaths())
	if err != nil {
		return nil, fmt.Errorf("load certificate: %w", err)
	}
	return &found, nil
}
