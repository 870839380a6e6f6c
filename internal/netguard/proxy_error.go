package netguard

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
)

// ProxyStatus is the error for a proxy that did not open a connection: the status of its response.
type ProxyStatus int

func (s ProxyStatus) Error() string {
	text := "the proxy returned " + strconv.Itoa(int(s))
	if name := http.StatusText(int(s)); name != "" {
		text += " " + name
	}
	return text
}

// proxyConnect is the operation that the HTTP client gives as failed if it cannot use a proxy.
const proxyConnect = "proxyconnect"

// proxyError returns the error for a proxy that cannot be used, in the form of the HTTP client.
func proxyError(err error) error {
	return &net.OpError{Op: proxyConnect, Net: "tcp", Err: err}
}

// IsProxyError reports whether an error is about the connection to a proxy, and not about the server.
func IsProxyError(err error) bool {
	operation, ok := errors.AsType[*net.OpError](err)
	return ok && operation.Op == proxyConnect
}

// checkProxyResponse returns an error for a proxy that does not open a connection. The text of the
// response is not quoted.
func checkProxyResponse(_ context.Context, _ *url.URL, _ *http.Request, response *http.Response) error {
	if response.StatusCode == http.StatusOK {
		return nil
	}
	return proxyError(ProxyStatus(response.StatusCode))
}
