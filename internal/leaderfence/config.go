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

// Config is a configuration that reaches the same cluster as cfg, with the same
// credentials, from behind the Fence. Reads pass, and until this process leads for
// the first time nothing else does: the error is ErrFenced. After it has led nothing
// passes at all. Access reviews count as writes, since they are made by POST.
//
// All that is made from the configuration, and from copies of it, shares one
// transport. Credentials of cfg cannot be replaced in it, but impersonation can be
// added.
func (f *Fence) Config(cfg *rest.Config) (*rest.Config, error) {
	if cfg.Transport != nil {
		return nil, errors.New("fence configuration: it has a transport of its own, whose connections cannot be guarded")
	}
	base := rest.CopyConfig(cfg)
	base.Dial = f.guardDialer(base.Dial)
	base.Wrap(f.wrapTransport)
	transport, err := rest.TransportFor(base)
	if err != nil {
		return nil, fmt.Errorf("make transport: %w", err)
	}
	host, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return nil, fmt.Errorf("read address of the cluster: %w", err)
	}
	return &rest.Config{
		Host: strings.TrimSuffix(host.String(), "/"), APIPath: cfg.APIPath, ContentConfig: cfg.ContentConfig, Transport: transport,
		UserAgent: cfg.UserAgent, Timeout: cfg.Timeout, QPS: cfg.QPS, Burst: cfg.Burst, RateLimiter: cfg.RateLimiter,
		WarningHandler: cfg.WarningHandler, WarningHandlerWithContext: cfg.WarningHandlerWithContext,
	}, nil
}

// dialer makes connections.
type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// dial makes connections that carry nothing for a former leader.
func (f *Fence) guardDialer(inner dialFunc) dialFunc {
	if inner == nil {
		// As client-go does it where nothing is said.
		inner = (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		made, err := inner(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &fencedConn{Conn: made, fence: f}, nil
	}
}

type fencedConn struct {
	net.Conn
	fence *Fence
}

// Write hands bytes to the kernel, if they may still go. Those of a request may have
// been prepared before the process was stopped.
func (c *fencedConn) Write(p []byte) (int, error) {
	if err := c.fence.allowBytes(); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
