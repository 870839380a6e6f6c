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

// Bounds on one connection. The time to write is enough for the largest archive
// over a line of 1 Mbit/s.
const (
	headerTimeout  = 5 * time.Second
	readTimeout    = 10 * time.Second
	writeTimeout   = 3 * time.Minute
	idleTimeout    = 60 * time.Second
	maxHeaderBytes = 16 << 10
	// shutdownTime is what requests in flight have when the server stops.
	shutdownTimeout = 10 * time.Second
)

// NewServer is a server for the address, such as ":8082", with bounds on the
// time and the headers of every connection.
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

// Service runs a server until it is told to stop. It is a Runnable of
// controller-runtime's manager, one that does not wait for the election of a
// leader: every replica serves.
type Service struct {
	Server *http.Server
	// Log is told once the server can be reached.
	Log logr.Logger
	// Listener is used instead of Server.Addr if it is set.
	Listener net.Listener
	// Connections is the number of connections that are kept at once; zero means
	// DefaultConnections.
	Connections int
	// Certificate returns the certificate for a connection. If it is not set, the server
	// speaks plain HTTP.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
}

// NeedLeaderElection says no.
func (*Service) NeedLeaderElection() bool { return false }

// Start serves until the context ends, then lets requests in flight finish for a
// few seconds. It returns nil if it was told to stop and did.
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
		// With HTTP/2 one connection would have many requests, which places does not count.
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
	// The context has ended, which must not end the requests at once.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := s.Server.Shutdown(grace); err != nil {
		return fmt.Errorf("stop serving charts: %w", errors.Join(err, s.Server.Close()))
	}
	return nil
}
