package ui

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Ways in which people sign in.
const (
	// authToken signs in the owner of a pasted token.
	authToken = "token"
	// authLocal signs in by a one-time link, as the user of the kubeconfig of the process.
	authLocal = "local"
)

// options are the values of the flags.
type options struct {
	flags *flag.FlagSet

	address       string
	certDir       string
	auth          string
	publicURL     string
	repositoryURL string
	sessionKeys   string
	sessionMaxAge time.Duration
	maxStreams    int
	connections   int
}

func parseFlags(args []string) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("appmarket ui", flag.ContinueOnError)
	o.flags = f
	f.StringVar(&o.address, "bind-address", ":8090", "Address of the pages. With --auth=local it must be a loopback address.")
	f.StringVar(&o.certDir, "cert-dir", "", "Directory with tls.crt and tls.key for serving the pages over HTTPS. If empty, plain HTTP is used.")
	f.StringVar(&o.auth, "auth", authToken, "How people sign in: token, by a token of their Kubernetes account, or local, by a one-time link that is printed, as the user of the kubeconfig.")
	f.StringVar(&o.publicURL, "public-url", "", "URL under which people reach the pages. If its scheme is https, browsers use HTTPS only.")
	f.StringVar(&o.repositoryURL, "repository-url", "", "URL of the Helm repository, as in --repository-url of the operator. Long texts are fetched from it only. If empty, they are not shown.")
	f.StringVar(&o.sessionKeys, "session-key-file", "", "File with the keys of the session cookies, one for each line, each with at least 32 bytes. The first key seals. If empty, a random key is used, and sessions end when the process ends.")
	f.DurationVar(&o.sessionMaxAge, "session-max-age", 8*time.Hour, "Time after which a person must sign in again.")
	f.IntVar(&o.maxStreams, "max-streams", 2000, "Maximum number of open pages that are updated live.")
	f.IntVar(&o.connections, "connections", 4000, "Maximum number of open connections.")
	if kubeconfig := flag.Lookup("kubeconfig"); kubeconfig != nil {
		f.Var(kubeconfig.Value, kubeconfig.Name, kubeconfig.Usage)
	}
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q; run with --help for usage", f.Arg(0))
	}
	return o, o.validateFlags()
}

func (o *options) validateFlags() error {
	switch {
	case o.auth != authToken && o.auth != authLocal:
		return fmt.Errorf("--auth: Unsupported value: %q: must be %s or %s", o.auth, authToken, authLocal)
	case o.sessionMaxAge < time.Minute:
		return fmt.Errorf("--session-max-age: Invalid value: %s: must be at least 1m", o.sessionMaxAge)
	case o.maxStreams < 1 || o.connections < 1:
		return errors.New("--max-streams and --connections must be at least 1")
	case o.auth == authLocal && !isLoopback(o.address):
		return fmt.Errorf("--bind-address: Invalid value: %q: must be a loopback address such as 127.0.0.1:8090 with --auth=local, "+
			"because everyone who reaches the pages could try to use the kubeconfig", o.address)
	}
	if o.publicURL != "" {
		if parsed, err := url.Parse(o.publicURL); err != nil || parsed.Host == "" {
			return fmt.Errorf("--public-url: Invalid value: %q: must be a URL", o.publicURL)
		}
	}
	return nil
}

func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// usesHTTPS reports whether people reach the pages over HTTPS.
func (o *options) usesHTTPS() bool {
	return o.certDir != "" || strings.HasPrefix(o.publicURL, "https://")
}
