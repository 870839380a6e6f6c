package chartrepo

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/go-logr/logr"
)

// Timeouts of one connection. The write timeout is long enough for the largest archive at 1
// Mbit/s.
const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 10 * time.Second
	writeTimeout   = 3 * time.Minute
	idleTimeout    = 60 * time.Second
	maxHeaderBytes = 16 << 10
	// shutdownTimeout is the time that requests in progress have when the server stops.
	shutdownTimeout = 10 * time.Second
)

// NewServer returns a server for an address such as ":8082", with timeouts and a limit on
// headers.
func NewServer(addr string, handler http.Handler) *http.Server {
	return &http.Server{
		Addr:              addr,
		Handler:           handler,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ConnContext:       withConnection,
		ConnState:         recordConnectionState,
	}
}

// Service runs a server until its context is done. It implements Runnable of
// controller-runtime's manager without leader election: every replica serves.
type Service struct {
	Server *http.Server
	// Log receives a message when the server accepts connections.
	Log logr.Logger
	// Listener is used instead of Server.Addr if it is set.
	Listener net.Listener
	// Connections is the maximum number of open connections. Defaults to DefaultConnections.
	Connections int
	// Certificate returns the certificate for a connection. If not set, the server uses plain
	// HTTP.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
}

// NeedLeaderElection returns false.
func (*Service) NeedLeaderElection() bool { return false }

// Start serves until the context is done, then waits up to shutdownTimeout for requests in
// progress. It returns nil after such a shutdown.
func (s *Service) Start(ctx context.Context) error {
	listener := s.Listener
	if listener == nil {
		var err error
		if listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", s.Server.Addr); err != nil {
			return fmt.Errorf("serve charts: %w", err)
		}
	}
	s.Log.Info("Serving the repository", "address", listener.Addr().String(), "tls", s.Certificate != nil)
	listener = newLimitedListener(listener, s.Connections)
	if s.Certificate != nil {
		// With HTTP/2, a connection can have several requests, which the limit does not
		// count.
		listener = tls.NewListener(listener, &tls.Config{
			GetCertificate: s.Certificate, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		})
	}
	failed := make(chan error, 1)
	go func() { failed <- s.Server.Serve(listener) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve charts: %w", err)
	case <-ctx.Done():
	}
	// The context is done, which must not cancel the requests in progress.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := s.Server.Shutdown(grace); err != nil {
		return fmt.Errorf("stop serving charts: %w", errors.Join(err, s.Server.Close()))
	}
	return nil
}
