package leaderfence

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"k8s.io/client-go/rest"
)

// Config returns a configuration for the same cluster and with the same credentials as
// cfg, guarded by the Fence. Until this process leads for the first time, only reads are
// allowed and every other request fails with ErrFenced. After a lost lease, every request
// fails. Access reviews count as writes because they are sent by POST.
//
// All clients of the configuration, and of copies of it, share one transport. Impersonation
// can be added to the configuration. Its credentials cannot be replaced.
func (f *Fence) Config(cfg *rest.Config) (*rest.Config, error) {
	if cfg.Transport != nil {
		return nil, errors.New("fence client configuration: a configuration with its own Transport cannot be fenced")
	}
	base := rest.CopyConfig(cfg)
	base.Dial = f.guardDialer(base.Dial)
	base.Wrap(f.wrapTransport)
	transport, err := rest.TransportFor(base)
	if err != nil {
		return nil, fmt.Errorf("create transport: %w", err)
	}
	host, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("parse the address of the cluster: %w", err)
	}
	return &rest.Config{
		Host: strings.TrimSuffix(host.String(), "/"), APIPath: cfg.APIPath, ContentConfig: cfg.ContentConfig, Transport: transport,
		UserAgent: cfg.UserAgent, Timeout: cfg.Timeout, QPS: cfg.QPS, Burst: cfg.Burst, RateLimiter: cfg.RateLimiter,
		WarningHandler: cfg.WarningHandler, WarningHandlerWithContext: cfg.WarningHandlerWithContext,
	}, nil
}

// dialFunc opens a connection.
type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// guardDialer returns a dial function whose connections send nothing for a former leader.
func (f *Fence) guardDialer(inner dialFunc) dialFunc {
	if inner == nil {
		// The same as the default of client-go.
		inner = (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := inner(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &fencedConn{Conn: conn, fence: f}, nil
	}
}

type fencedConn struct {
	net.Conn
	fence *Fence
}

// Write passes bytes to the kernel if they may still be sent. They can have been prepared
// before the process was paused.
func (c *fencedConn) Write(p []byte) (int, error) {
	if err := c.fence.allowBytes(); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
