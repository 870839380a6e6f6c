package registry

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

// docker.io is the name that people use and index.docker.io the one that the
// library uses, for the same registry.
const dockerHub = "docker.io"

// places knows where each registry is to be asked.
type endpointResolver struct {
	mirrors   map[string]mirror
	plainHTTP map[string]bool
}

// mirror is a registry that is asked in the place of another.
type mirror struct {
	host      string
	prefix    string
	plainHTTP bool
}

// place is where one image is asked for. Registry and image are as people know
// them, for messages: they do not show the mirror.
type endpoint struct {
	ref      name.Reference
	registry string
	image    string
	// plain says that it may be asked over http.
	plainHTTP bool
}

func newEndpointResolver(mirrors map[string]string, plain []string) (endpointResolver, error) {
	p := endpointResolver{mirrors: map[string]mirror{}, plainHTTP: map[string]bool{}}
	for _, host := range plain {
		registry, err := name.NewRegistry(host)
		if err != nil || host == "" {
			return endpointResolver{}, fmt.Errorf("read registry %q that speaks plain http: want host or host:port", host)
		}
		p.plainHTTP[registry.RegistryStr()] = true
	}
	for from, to := range mirrors {
		registry, err := name.NewRegistry(from)
		if err != nil || from == "" {
			return endpointResolver{}, fmt.Errorf("read mirror of registry %q: want host or host:port", from)
		}
		u, err := url.Parse(to)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.RawQuery != "" || u.User != nil {
			return endpointResolver{}, fmt.Errorf("read mirror of registry %q: want a URL such as https://mirror.example/path", from)
		}
		m := mirror{host: u.Host, prefix: strings.Trim(u.Path, "/"), plainHTTP: u.Scheme == "http"}
		p.mirrors[registry.RegistryStr()] = m
		if m.plainHTTP {
			p.plainHTTP[m.host] = true
		}
	}
	return p, nil
}

// trustedHosts returns the hosts that the configuration names, each with its port.
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

// withPort adds a port to a host that has none.
func withPort(host, port string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), port)
}

// find says where to ask for an image.
func (p endpointResolver) resolveEndpoint(reference string) (endpoint, error) {
	named, err := name.ParseReference(reference)
	if err != nil {
		return endpoint{}, fmt.Errorf("read image reference %q: %w", reference, err)
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
		return endpoint{}, fmt.Errorf("read registry %q: %w", host, err)
	}
	if separator == "@" {
		found.ref = registry.Repo(repository).Digest(named.Identifier())
	} else {
		found.ref = registry.Repo(repository).Tag(named.Identifier())
	}
	return found, nil
}

// speaksPlain reports whether plain http may be spoken to a host, as it stands in
// a URL, in answering a question that was asked of another.
func (p endpointResolver) allowsPlainHTTP(host, asked string) bool {
	return p.plainHTTP[host] || (isLoopback(host) && isLoopback(asked))
}

// registryOf names the registry of an image, empty if the reference is none.
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

func isLoopback(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
