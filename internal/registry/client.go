package registry

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
)

// Bounds on what a registry may send and on how long it may take.
const (
	// MaxAnswerBytes bounds every body a registry sends: an index, a manifest, a
	// configuration, a token, an error.
	MaxResponseBytes = 4 << 20
	// MaxIndexEntries bounds the entries of an index, attestations included.
	MaxIndexEntries = 128
	// DefaultTimeout bounds one question with all its requests.
	DefaultTimeout = 30 * time.Second

	dialTimeout   = 3 * time.Second
	tlsTimeout    = 5 * time.Second
	headerTimeout = 10 * time.Second
)

// Options say how registries are asked. The zero value asks all of them
// anonymously over https. The proxy settings of the environment are honoured.
type Options struct {
	// DockerConfig is the content of a docker config file, as it stands in a
	// Secret of type kubernetes.io/dockerconfigjson. Only its auths are used;
	// credential helpers are programs and are never run.
	DockerConfig []byte
	// PlainHTTP lists the registries, as images name them and with their port if
	// any, that may be asked over http when they do not speak https. Those on the
	// loopback interface always may.
	PlainHTTP []string
	// Mirrors maps a registry, such as docker.io, to the URL of another one that
	// is asked in its place, such as http://127.0.0.1:5000 or
	// https://harbor.example/hub. The path is put before the name of the
	// repository. The mirrored registry itself is then never asked.
	Mirrors map[string]string
	// Authorities are certificates in PEM form that are trusted beside those of
	// the system.
	Authorities []byte
	// Timeout bounds one question; DefaultTimeout if zero.
	Timeout time.Duration
	// UserAgent is what registries are told; appmarket if empty.
	UserAgent string
	// Network says to which addresses requests go. Registries that Mirrors and
	// PlainHTTP name may be at loopback and private addresses too.
	Network netguard.Policy
}

// Client asks registries about images. It implements hydrate.Inspector and may
// be used by several goroutines.
type Client struct {
	endpoints endpointResolver
	keychain  authn.Keychain
	transport http.RoundTripper
	timeout   time.Duration
}

var _ hydrate.Inspector = (*Client)(nil)

// New returns a Client. It fails when an option cannot be understood.
func New(opts Options) (*Client, error) {
	places, err := newEndpointResolver(opts.Mirrors, opts.PlainHTTP)
	if err != nil {
		return nil, err
	}
	keychain, err := readDockerConfig(opts.DockerConfig)
	if err != nil {
		return nil, fmt.Errorf("read docker config: %w", err)
	}
	authorities, err := readAuthorities(opts.Authorities)
	if err != nil {
		return nil, err
	}
	c := &Client{
		endpoints: places,
		keychain:  keychain,
		transport: newTransport(opts, authorities, places.trustedHosts()),
		timeout:   opts.Timeout,
	}
	if c.timeout <= 0 {
		c.timeout = DefaultTimeout
	}
	return c, nil
}

func readAuthorities(pem []byte) (*x509.CertPool, error) {
	if len(pem) == 0 {
		return nil, nil // the system's own
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("read certificate authorities of the system: %w", err)
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("read certificate authorities: no certificate in PEM form")
	}
	return pool, nil
}

func newTransport(opts Options, authorities *x509.CertPool, trusted []string) *netguard.Transport {
	return netguard.NewTransport(netguard.TransportOptions{
		Policy: opts.Network, UserAgent: cmp.Or(opts.UserAgent, "appmarket"), Roots: authorities, Trusted: trusted,
		Timeouts: netguard.Timeouts{Dial: dialTimeout, TLS: tlsTimeout, Header: headerTimeout},
	})
}

// Inspect asks the registry of an image about it. An image that the registry
// does not have is stalled with ImageNotFound, a reference that is none with
// InvalidImage. Any other error tells, by ErrUnreachable, ErrDenied,
// ErrRateLimited or ErrAnswer, why there is no answer.
func (c *Client) Inspect(ctx context.Context, reference string) (images.Detail, error) {
	place, err := c.endpoints.resolveEndpoint(reference)
	if err != nil {
		return images.Detail{}, outcome.Stalled(v1alpha1.ReasonInvalidImage, err)
	}
	asking, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	by := &policyTransport{base: c.transport, endpoints: c.endpoints, registry: place.ref.Context().RegistryStr()}
	detail, err := c.inspectEndpoint(asking, by, place)
	if err != nil {
		return images.Detail{}, place.toError(ctx, err, time.Duration(by.retryAfter.Load()))
	}
	return detail, nil
}

func (c *Client) inspectEndpoint(ctx context.Context, by *policyTransport, place endpoint) (images.Detail, error) {
	puller, err := remote.NewPuller(
		remote.WithAuthFromKeychain(c.keychain),
		remote.WithTransport(by),
		// Whoever asks tries again with a back-off of their own.
		remote.WithRetryBackoff(remote.Backoff{Steps: 1}),
		remote.WithRetryStatusCodes(),
	)
	if err != nil {
		return images.Detail{}, err
	}
	return (&inspectRequest{puller: puller, ref: place.ref}).inspectImage(ctx)
}
