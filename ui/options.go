package ui

import (
	"errors"
	"flag"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// options are the values of the flags.
type options struct {
	flags *flag.FlagSet

	address       string
	certDir       string
	publicURL     string
	repositoryURL string
	fetchImages   bool
	sessionKeys   string
	sessionMaxAge time.Duration
	maxStreams    int
	connections   int
	// onLink is called with the one-time link of local pages. It may be nil.
	onLink func(link string)

	signInOptions
	terminalOptions
}

func parseFlags(args []string) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("appmarket ui", flag.ContinueOnError)
	o.flags = f
	f.StringVar(&o.address, "bind-address", ":8090", "Address of the web pages. Must be a loopback address if --auth is local.")
	f.StringVar(&o.certDir, "cert-dir", "", "Directory with tls.crt and tls.key for serving the pages over HTTPS. If empty, plain HTTP is used.")
	f.StringVar(&o.publicURL, "public-url", "", "URL of the web pages for browsers. If its scheme is https, browsers use HTTPS only.")
	f.StringVar(&o.repositoryURL, "repository-url", "", "URL of the Helm repository, as in --repository-url of the operator. READMEs, values and other reports are fetched only from this URL. If empty, they are not shown.")
	f.BoolVar(&o.fetchImages, "fetch-images", true, "Fetch the icons and screenshots of apps, and the images of their READMEs, from the public addresses that their charts specify. If false, letters are shown instead of icons, and links instead of images.")
	f.StringVar(&o.sessionKeys, "session-key-file", "", "File with the keys of the session cookies, one per line, each with at least 32 bytes. The first key encrypts new cookies. If empty, a random key is used, and sessions end with the process.")
	f.DurationVar(&o.sessionMaxAge, "session-max-age", 8*time.Hour, "Maximum duration of a session.")
	f.IntVar(&o.maxStreams, "max-streams", 2000, "Maximum number of event streams of open pages.")
	f.IntVar(&o.connections, "connections", 4000, "Maximum number of open connections.")
	o.signInOptions.addFlags(f)
	o.terminalOptions.addFlags(f)
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
	case o.sessionMaxAge < time.Minute:
		return fmt.Errorf("--session-max-age: Invalid value: %s: must be at least 1m", o.sessionMaxAge)
	case o.maxStreams < 1 || o.connections < 1:
		return errors.New("--max-streams and --connections must be at least 1")
	}
	if o.publicURL != "" {
		if parsed, err := url.Parse(o.publicURL); err != nil || parsed.Host == "" {
			return fmt.Errorf("--public-url: Invalid value: %q: must be a URL", o.publicURL)
		}
	}
	if err := o.validateTerminal(); err != nil {
		return err
	}
	return o.validateSignIn()
}

// usesHTTPS reports whether browsers use HTTPS.
func (o *options) usesHTTPS() bool {
	return o.certDir != "" || strings.HasPrefix(o.publicURL, "https://")
}
