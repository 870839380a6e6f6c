package session

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// Headers that an authenticating proxy sets.
const (
	userHeader   = "X-Forwarded-User"
	groupsHeader = "X-Forwarded-Groups"
)

const (
	// maxNameBytes is the size of the longest name of a user or a group.
	maxNameBytes = 256
	// maxGroups is the largest number of groups of a user.
	maxGroups = 200
	// MaxTokenBytes is the size of the largest token. Three cookies have room for it.
	MaxTokenBytes = 8000

	systemPrefix = "system:"
	// authenticatedGroup is the group that the API server adds to each user.
	authenticatedGroup = "system:authenticated"
)

// Proxy identifies users by the headers of an authenticating proxy.
//
// A bearer token needs no trust, because the API server validates it. The names of a user and its
// groups are trusted from a proxy only: from a trusted network, with a client certificate that a
// trusted authority has signed, or from the machine itself, if Loopback is set.
type Proxy struct {
	// Trusted are the networks of the proxy.
	Trusted []netip.Prefix
	// ClientCAFile is a file with the certificates of the authorities that sign the client
	// certificate of the proxy. It is read for each request, so it can be replaced.
	ClientCAFile string
	// Loopback allows a proxy at a loopback address, without a client certificate.
	Loopback bool
}

// loopbackNetworks are the networks of the machine itself.
var loopbackNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// Networks returns the networks whose header X-Forwarded-For names the client.
func (p *Proxy) Networks() []netip.Prefix {
	if p.Loopback {
		return slices.Concat(p.Trusted, loopbackNetworks)
	}
	return p.Trusted
}

// Identity is the user of a request: the owner of a token, or a user with a name and groups.
type Identity struct {
	Token  string
	User   string
	Groups []string
}

// Refusal is the error for a request whose user is not accepted.
type Refusal struct {
	// Status is the status of the response.
	Status int
	// Reason is a sentence for the user.
	Reason string
}

// Error returns the reason.
func (r *Refusal) Error() string { return r.Reason }

// Identify returns the user of a request. The error is of type Refusal.
func (p *Proxy) Identify(r *http.Request) (Identity, error) {
	token, err := bearerToken(r.Header)
	if err != nil || token != "" {
		return Identity{Token: token}, err
	}
	users, groups := r.Header.Values(userHeader), r.Header.Values(groupsHeader)
	if len(users) == 0 && len(groups) == 0 {
		return Identity{}, &Refusal{http.StatusUnauthorized, "The request has no token and no user: neither the header Authorization nor " + userHeader + " is set."}
	}
	if err := p.checkPeer(r); err != nil {
		return Identity{}, err
	}
	if len(users) != 1 || len(groups) > 1 {
		return Identity{}, &Refusal{http.StatusForbidden, "The proxy must set the header " + userHeader + " once and " + groupsHeader + " at most once, and remove the headers of the client."}
	}
	name := strings.TrimSpace(users[0])
	if err := checkName("user", name); err != nil {
		return Identity{}, err
	}
	found, err := parseGroups(groups)
	if err != nil {
		return Identity{}, err
	}
	return Identity{User: name, Groups: found}, nil
}

// bearerToken returns the token of the header Authorization, empty if it has none.
func bearerToken(header http.Header) (string, error) {
	all := header.Values("Authorization")
	if len(all) > 1 {
		return "", &Refusal{http.StatusBadRequest, "The header Authorization is set more than once."}
	}
	if len(all) == 0 {
		return "", nil
	}
	scheme, token, _ := strings.Cut(all[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", nil
	}
	token = strings.TrimSpace(token)
	if token == "" || len(token) > MaxTokenBytes || strings.ContainsFunc(token, isNoTokenRune) {
		return "", &Refusal{http.StatusUnauthorized, "The header Authorization contains no valid token."}
	}
	return token, nil
}

func isNoTokenRune(c rune) bool { return c <= ' ' || c > '~' }

// checkPeer returns a Refusal if the request does not come from the proxy.
func (p *Proxy) checkPeer(r *http.Request) error {
	port, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return &Refusal{http.StatusForbidden, "The address of the request is unknown, so its headers are ignored."}
	}
	address := port.Addr().Unmap().WithZone("")
	isTrusted := slices.ContainsFunc(p.Trusted, func(network netip.Prefix) bool { return network.Contains(address) })
	if address.IsLoopback() && (p.Loopback || isTrusted) {
		return nil
	}
	if !isTrusted {
		return &Refusal{http.StatusForbidden, fmt.Sprintf("The address %s is not in --trusted-proxies, so the headers of the request are ignored. Open the pages through the proxy.", address)}
	}
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return &Refusal{http.StatusForbidden, "The proxy did not present a client certificate, so the headers of the request are ignored."}
	}
	if err := p.verifyCertificate(r.TLS.PeerCertificates); err != nil {
		return &Refusal{http.StatusForbidden, "The client certificate of the proxy is not signed by an authority of --proxy-client-ca, or not valid now, so the headers of the request are ignored."}
	}
	return nil
}

// verifyCertificate verifies a client certificate and the intermediate certificates that follow it.
func (p *Proxy) verifyCertificate(chain []*x509.Certificate) error {
	roots, err := ReadCertificates(p.ClientCAFile)
	if err != nil {
		return err
	}
	intermediates := x509.NewCertPool()
	for _, each := range chain[1:] {
		intermediates.AddCert(each)
	}
	_, err = chain[0].Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: intermediates, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	return err
}

// ReadCertificates returns the certificates in a PEM file.
func ReadCertificates(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read certificates: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("read certificates: %s contains no certificate", path)
	}
	return pool, nil
}

// parseGroups returns the groups of a header, which are separated by commas. A name with a comma cannot
// be distinguished from two names, so both are checked.
func parseGroups(headers []string) ([]string, error) {
	var groups []string
	for name := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		name = strings.TrimSpace(name)
		if name == "" || name == authenticatedGroup || slices.Contains(groups, name) {
			continue
		}
		if err := checkName("group", name); err != nil {
			return nil, err
		}
		if len(groups) == maxGroups {
			return nil, &Refusal{http.StatusForbidden, fmt.Sprintf("The user has more than %d groups.", maxGroups)}
		}
		groups = append(groups, name)
	}
	return groups, nil
}

// checkName returns a Refusal for a name that a proxy must not set. Names that begin with system: belong
// to the cluster, such as system:masters, whose members may do everything.
func checkName(kind, name string) error {
	switch {
	case strings.HasPrefix(name, systemPrefix):
		return &Refusal{http.StatusForbidden, fmt.Sprintf("The name of the %s begins with %q. Such names belong to the cluster and are not accepted from a proxy.", kind, systemPrefix)}
	case name == "" || len(name) > maxNameBytes || strings.ContainsFunc(name, func(c rune) bool { return c < ' ' || c == 0x7f }):
		return &Refusal{http.StatusForbidden, fmt.Sprintf("The name of the %s must have 1 to %d characters.", kind, maxNameBytes)}
	}
	return nil
}
