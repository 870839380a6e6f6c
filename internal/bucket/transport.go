package bucket

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

const (
	dialTimeout = 5 * time.Second
	// maxIdleConns is the number of connections that are kept for further requests.
	maxIdleConns = 32
	// maxListBytes is the maximum size of a page of a list, which has at most 1,000 names.
	maxListBytes = 8 << 20
	// maxOtherBytes is the maximum size of a response that is neither a list nor an object.
	maxOtherBytes = 1 << 20
	// rootBytes is the size of the start of a list that contains its root element.
	rootBytes = 512
)

// newTransport returns a transport that gives up a connection on which nothing is transferred for a
// time.
func newTransport(roots *x509.CertPool, stallTimeout time.Duration) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &stallConn{Conn: conn, timeout: stallTimeout}, nil
		},
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   dialTimeout,
		ResponseHeaderTimeout: stallTimeout,
		MaxIdleConnsPerHost:   maxIdleConns,
		// Less than the timeout of a connection on which nothing is read.
		IdleConnTimeout:    stallTimeout / 2,
		DisableCompression: true,
	}
}

// stallConn is a connection with a timeout for each read and write.
type stallConn struct {
	net.Conn
	timeout time.Duration
}

func (c *stallConn) Read(data []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Read(data)
}

func (c *stallConn) Write(data []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(data)
}

// responseChecker checks the pages of lists: the client would take any other document, such as the page of
// a proxy, for the list of an empty bucket. It also limits the size of pages, which are decoded in memory,
// and of errors, which the client reads to their end.
type responseChecker struct{ http.RoundTripper }

// RoundTrip sends a request.
func (c responseChecker) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := c.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= http.StatusMultipleChoices || r.Method != http.MethodGet {
		replaceBody(response, io.LimitReader(response.Body, maxOtherBytes))
		return response, nil
	}
	if response.StatusCode != http.StatusOK || !r.URL.Query().Has("list-type") {
		return response, nil
	}
	page := bufio.NewReader(io.LimitReader(response.Body, maxListBytes))
	// Errors of the connection are returned by the next read.
	if start, _ := page.Peek(rootBytes); !bytes.Contains(start, []byte("<ListBucketResult")) {
		return nil, errors.Join(errors.New("the response is not a list of objects"), response.Body.Close())
	}
	replaceBody(response, page)
	return response, nil
}

// replaceBody replaces the reader of a body.
func replaceBody(response *http.Response, body io.Reader) {
	response.Body = struct {
		io.Reader
		io.Closer
	}{body, response.Body}
}
