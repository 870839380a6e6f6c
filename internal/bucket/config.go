package bucket

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// Addressing is how requests name the bucket.
type Addressing string

// Kinds of Addressing.
const (
	// AddressingAuto uses virtual hosts for the services that are known to require them.
	AddressingAuto Addressing = "Auto"
	// AddressingPath uses https://<endpoint>/<bucket>.
	AddressingPath Addressing = "Path"
	// AddressingVirtualHost uses https://<bucket>.<endpoint>.
	AddressingVirtualHost Addressing = "VirtualHost"
)

// UnmarshalText parses the value of a flag.
func (a *Addressing) UnmarshalText(text []byte) error {
	switch Addressing(text) {
	case AddressingAuto, AddressingPath, AddressingVirtualHost:
		*a = Addressing(text)
		return nil
	}
	return fmt.Errorf("must be %s, %s or %s", AddressingAuto, AddressingPath, AddressingVirtualHost)
}

// MarshalText returns the value of a flag.
func (a Addressing) MarshalText() ([]byte, error) { return []byte(a), nil }

func (a Addressing) lookup() minio.BucketLookupType {
	switch a {
	case AddressingPath:
		return minio.BucketLookupPath
	case AddressingVirtualHost:
		return minio.BucketLookupDNS
	default:
		return minio.BucketLookupAuto
	}
}

// Defaults of Config.
const (
	DefaultRegion       = "us-east-1"
	DefaultStallTimeout = 30 * time.Second
)

// Config configures a Bucket.
type Config struct {
	// Name is the name of the bucket, which must exist.
	Name string
	// Endpoint is the URL of the service, without a path. The scheme defaults to https.
	Endpoint string
	// Region is the region for signatures. Defaults to DefaultRegion.
	Region string
	// Prefix is the folder in the bucket. Defaults to the whole bucket.
	Prefix string
	// Addressing defaults to AddressingAuto.
	Addressing Addressing
	// CAFile is a file with the certificates of the authorities that are trusted. Defaults to the
	// authorities of the system.
	CAFile string
	// CredentialsDir is a folder with the files accesskey and secretkey, which are read again when
	// they change. Defaults to the environment variables AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
	// AWS_SESSION_TOKEN.
	CredentialsDir string
	// StallTimeout is how long a connection can wait for the service. Defaults to
	// DefaultStallTimeout.
	StallTimeout time.Duration
	// GuardWrites returns a transport that rejects requests of a process that may not write. It
	// defaults to the transport of reads.
	GuardWrites func(reads *http.Transport) http.RoundTripper
}

// Validate returns an error if the endpoint or the prefix is invalid. The error does not contain the
// endpoint, which could contain a password.
func (c Config) Validate() error {
	_, _, err := parseEndpoint(c.Endpoint)
	if err != nil {
		return fmt.Errorf("endpoint: %w", err)
	}
	if _, err := parsePrefix(c.Prefix); err != nil {
		return fmt.Errorf("prefix: %w", err)
	}
	return nil
}

// New returns a Bucket without accessing it.
func New(config Config) (*Bucket, error) {
	host, secure, err := parseEndpoint(config.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("endpoint: %w", err)
	}
	prefix, err := parsePrefix(config.Prefix)
	if err != nil {
		return nil, fmt.Errorf("prefix: %w", err)
	}
	keys, err := newCredentials(config.CredentialsDir)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	roots, err := readRoots(config.CAFile)
	if err != nil {
		return nil, fmt.Errorf("certificates: %w", err)
	}
	if config.Region == "" {
		config.Region = DefaultRegion
	}
	if config.StallTimeout <= 0 {
		config.StallTimeout = DefaultStallTimeout
	}
	transport := newTransport(roots, config.StallTimeout)
	var guarded http.RoundTripper = transport
	if config.GuardWrites != nil {
		guarded = config.GuardWrites(transport)
	}
	options := minio.Options{
		Creds: keys, Secure: secure, Region: config.Region, BucketLookup: config.Addressing.lookup(), MaxRetries: maxAttempts,
	}
	b := &Bucket{name: config.Name, prefix: prefix, maxListed: maxListed, close: transport.CloseIdleConnections}
	options.Transport = responseChecker{transport}
	if b.client, err = minio.New(host, &options); err != nil {
		return nil, fmt.Errorf("endpoint: %w", toError(err))
	}
	options.Transport = responseChecker{guarded}
	if b.writer, err = minio.New(host, &options); err != nil {
		return nil, fmt.Errorf("endpoint: %w", toError(err))
	}
	return b, nil
}

// parseEndpoint returns the host and port of an endpoint, and whether it uses TLS. Errors do not
// contain the endpoint, which could contain a password.
func parseEndpoint(endpoint string) (host string, secure bool, err error) {
	if !strings.Contains(endpoint, "://") {
		endpoint = "https://" + endpoint
	}
	parsed, err := url.Parse(endpoint)
	if err != nil || parsed.Host == "" || parsed.Scheme != "https" && parsed.Scheme != "http" {
		return "", false, errors.New("must be a URL such as https://s3.example.com")
	}
	if parsed.User != nil || strings.Trim(parsed.Path, "/") != "" || parsed.RawQuery != "" || parsed.Fragment != "" {
		return "", false, errors.New("must be a URL without user, path and query")
	}
	return parsed.Host, parsed.Scheme == "https", nil
}

// parsePrefix returns a prefix with a trailing slash, or an empty one.
func parsePrefix(prefix string) (string, error) {
	prefix = strings.Trim(prefix, "/")
	if prefix == "" {
		return "", nil
	}
	for part := range strings.SplitSeq(prefix, "/") {
		if part == "" || part == "." || part == ".." {
			return "", fmt.Errorf("%q must be a relative path without empty parts", prefix)
		}
	}
	return prefix + "/", nil
}

// readRoots returns the certificates of a file, or nil for the authorities of the system.
func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(data) {
		return nil, fmt.Errorf("%s contains no certificate", file)
	}
	return roots, nil
}
