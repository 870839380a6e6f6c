package registry

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/dockerconfig"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
)

// Limits of the responses of a registry.
const (
	// MaxResponseBytes is the maximum size of each response body: an index, a manifest, a
	// configuration, a token or an error.
	MaxResponseBytes = 4 << 20
	// MaxIndexEntries is the maximum number of entries of an index, including attestations.
	MaxIndexEntries = 128
	// DefaultTimeout is the default time limit of one inspection with all its requests.
	DefaultTimeout = 30 * time.Second

	dialTimeout   = 3 * time.Second
	tlsTimeout    = 5 * time.Second
	headerTimeout = 10 * time.Second
)

// Options configures the access to registries. The zero value accesses all registries
// anonymously over https, through the proxy of the environment if it has one.
type Options struct {
	// DockerConfig is the content of a docker config file, as in a Secret of type
	// kubernetes.io/dockerconfigjson. Only auths is used; credential helpers are not run.
	DockerConfig []byte
	// UserCredentials uses the docker config of the user who runs the program instead, with its credential helpers.
	UserCredentials bool
	// PlainHTTP is the list of registries that can be accessed over http if they do not
	// support https, with the host and port as in image references. Registries on the
	// loopback interface always can.
	PlainHTTP []string
	// Mirrors maps a registry, such as docker.io, to the URL of a mirror that is used
	// instead, such as http://127.0.0.1:5000 or https://harbor.example/hub. The path is added
	// before the name of the repository. The mirrored registry itself is not accessed.
	Mirrors map[string]string
	// Roots are the trusted certificates. Defaults to the certificates of the system.
	Roots *x509.CertPool
	// Certificate is a client certificate, and Proxy the proxy for all registries that are not in
	// Mirrors and PlainHTTP. Both are optional.
	Certificate *netguard.ClientCertificate
	Proxy       *url.URL
	// Timeout is the time limit of one inspection. Defaults to DefaultTimeout.
	Timeout time.Duration
	// UserAgent is the User-Agent header of requests. Defaults to appmarket.
	UserAgent string
	// Network is the policy for addresses. Registries in Mirrors and PlainHTTP can also have
	// loopback and private addresses.
	Network netguard.Policy
}

// Client inspects images in registries. It implements hydrate.Inspector and is safe for
// concurrent use.
type Client struct {
	endpoints endpointResolver
	keychain  authn.Keychain
	transport http.RoundTripper
	timeout   time.Duration
	texts     credentialTexts
}

var _ hydrate.Inspector = (*Client)(nil)

// New returns a Client, or an error if an option is invalid.
func New(opts Options) (*Client, error) {
	places, err := newEndpointResolver(opts.Mirrors, opts.PlainHTTP)
	if err != nil {
		return nil, err
	}
	keychain, err := dockerconfig.Parse(opts.DockerConfig)
	if err != nil {
		return nil, fmt.Errorf("read docker config: %w", err)
	}
	c := &Client{
		endpoints: places,
		keychain:  keychain,
		transport: newTransport(opts, places.trustedHosts()),
		timeout:   opts.Timeout,
		texts:     sourceTexts,
	}
	if opts.UserCredentials {
		c.keychain, c.texts = userKeychain{}, userTexts
	}
	if c.timeout <= 0 {
		c.timeout = DefaultTimeout
	}
	return c, nil
}

func newTransport(opts Options, trusted []string) *netguard.Transport {
	return netguard.NewTransport(netguard.TransportOptions{
		Policy: opts.Network, UserAgent: cmp.Or(opts.UserAgent, "appmarket"), Trusted: trusted,
		Roots: opts.Roots, Certificate: opts.Certificate, Proxy: opts.Proxy,
		Timeouts: netguard.Timeouts{Dial: dialTimeout, TLS: tlsTimeout, Header: headerTimeout},
	})
}

// Inspect returns the details of an image. An image that does not exist is stalled with
// ImageNotFound, an invalid reference with InvalidImage. All other errors match
// ErrUnreachable, ErrDenied, ErrRateLimited or ErrUnusableResponse.
func (c *Client) Inspect(ctx context.Context, reference string) (images.Detail, error) {
	place, err := c.endpoints.resolveEndpoint(reference)
	if err != nil {
		return images.Detail{}, outcome.Stalled(v1alpha1.ReasonInvalidImage, err)
	}
	place.texts = c.texts
	credentials, err := c.keychain.Resolve(place.ref.Context())
	if err != nil {
		return images.Detail{}, fmt.Errorf("read credentials for registry %s: %w", place.registry, err)
	}
	place.authenticated = credentials != authn.Anonymous
	asking, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	by := &policyTransport{
		base: c.transport, endpoints: c.endpoints, registry: place.ref.Context().RegistryStr(), authenticated: place.authenticated,
	}
	detail, err := c.inspectEndpoint(asking, by, place)
	if err != nil {
		return images.Detail{}, place.toError(ctx, err, time.Duration(by.retryAfter.Load()))
	}
	detail.Authenticated = place.authenticated
	return detail, nil
}

func (c *Client) inspectEndpoint(ctx context.Context, by *policyTransport, place endpoint) (images.Detail, error) {
	puller, err := remote.NewPuller(
		remote.WithAuthFromKeychain(c.keychain),
		remote.WithTransport(by),
		// The caller repeats requests with its own backoff.
		remote.WithRetryBackoff(remote.Backoff{Steps: 1}),
		remote.WithRetryStatusCodes(),
	)
	if err != nil {
		return images.Detail{}, err
	}
	return (&inspectRequest{puller: puller, ref: place.ref}).inspectImage(ctx)
}
