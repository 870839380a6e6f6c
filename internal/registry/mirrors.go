package registry

import (
	"fmt"
	"net"
	"net/url"
	"path"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/appmarket/operator/internal/netguard"
)

// dockerHub is the name of Docker Hub in image references. The library uses index.docker.io.
const dockerHub = "docker.io"

// endpointResolver determines the endpoint at which a registry is accessed.
type endpointResolver struct {
	mirrors   map[string]mirror
	plainHTTP map[string]bool
}

// mirror is a registry that is accessed instead of another one.
type mirror struct {
	host      string
	prefix    string
	plainHTTP bool
}

// endpoint is the place of one image. registry and image are used in messages and do not
// reveal the mirror.
type endpoint struct {
	ref      name.Reference
	registry string
	image    string
	// plainHTTP reports whether http is allowed.
	plainHTTP bool
	// authenticated reports whether there are credentials for the registry.
	authenticated bool
	texts         credentialTexts
}

func newEndpointResolver(mirrors map[string]string, plain []string) (endpointResolver, error) {
	p := endpointResolver{mirrors: map[string]mirror{}, plainHTTP: map[string]bool{}}
	for _, host := range plain {
		registry, err := name.NewRegistry(host)
		if err != nil || host == "" {
			return endpointResolver{}, fmt.Errorf("invalid plain http registry %q: want host or host:port", host)
		}
		p.plainHTTP[registry.RegistryStr()] = true
	}
	for from, to := range mirrors {
		registry, err := name.NewRegistry(from)
		if err != nil || from == "" {
			return endpointResolver{}, fmt.Errorf("invalid mirrored registry %q: want host or host:port", from)
		}
		u, err := url.Parse(to)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.RawQuery != "" || u.User != nil {
			return endpointResolver{}, fmt.Errorf("invalid mirror of registry %q: want a URL such as https://mirror.example/path", from)
		}
		m := mirror{host: u.Host, prefix: strings.Trim(u.Path, "/"), plainHTTP: u.Scheme == "http"}
		p.mirrors[registry.RegistryStr()] = m
		if m.plainHTTP {
			p.plainHTTP[m.host] = true
		}
	}
	return p, nil
}

// trustedHosts returns the hosts in the configuration, with ports.
func (p endpointResolver) trustedHosts() []string {
	var hosts []string
	for host := range p.plainHTTP {
		hosts = append(hosts, withPort(host, "80"), withPort(host, "443"))
	}
	for _, m := range p.mirrors {
		hosts = append(hosts, withPort(m.host, "443"))
	}
	return hosts
}

// withPort adds a port to a host without port.
func withPort(host, port string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), port)
}

// resolveEndpoint returns the endpoint of an image.
func (p endpointResolver) resolveEndpoint(reference string) (endpoint, error) {
	named, err := name.ParseReference(reference)
	if err != nil {
		return endpoint{}, fmt.Errorf("invalid image reference: %w", err)
	}
	host, repository := named.Context().RegistryStr(), named.Context().RepositoryStr()
	separator := ":"
	if _, ok := named.(name.Digest); ok {
		separator = "@"
	}
	found := endpoint{registry: displayHost(host), image: repository + separator + named.Identifier()}
	found.plainHTTP = p.allowsPlainHTTP(host, host)
	if m, ok := p.mirrors[host]; ok {
		host, repository, found.plainHTTP = m.host, path.Join(m.prefix, repository), m.plainHTTP
	}
	var opts []name.Option
	if found.plainHTTP {
		opts = append(opts, name.Insecure)
	}
	registry, err := name.NewRegistry(host, opts...)
	if err != nil {
		return endpoint{}, fmt.Errorf("invalid registry: %w", err)
	}
	if separator == "@" {
		found.ref = registry.Repo(repository).Digest(named.Identifier())
	} else {
		found.ref = registry.Repo(repository).Tag(named.Identifier())
	}
	return found, nil
}

// allowsPlainHTTP reports whether plain http is allowed for a host, as it occurs in a URL,
// during an inspection of another registry.
func (p endpointResolver) allowsPlainHTTP(host, asked string) bool {
	return p.plainHTTP[host] || (netguard.IsLoopback(host) && netguard.IsLoopback(asked))
}

// registryOf returns the registry of an image, or an empty string for an invalid reference.
func registryOf(reference string) string {
	named, err := name.ParseReference(reference)
	if err != nil {
		return ""
	}
	return named.Context().RegistryStr()
}

func displayHost(host string) string {
	if host == name.DefaultRegistry {
		return dockerHub
	}
	return host
}
