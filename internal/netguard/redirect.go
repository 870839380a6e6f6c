package netguard

import (
	"errors"
	"fmt"
	"net/http"
)

// MaxRedirects is the maximum number of redirects of one request.
const MaxRedirects = 5

// Reasons why a redirect or a URL is rejected.
var (
	ErrRedirects = fmt.Errorf("redirected more than %d times", MaxRedirects)
	ErrDowngrade = errors.New("redirected from https to http")
	ErrScheme    = errors.New("only http and https are supported")
)

// CheckRedirect implements CheckRedirect of http.Client: it returns an error if a redirect is
// not allowed, and removes the user and the Referer from the next request. The caller handles
// credentials.
func CheckRedirect(next *http.Request, via []*http.Request) error {
	switch scheme := next.URL.Scheme; {
	case len(via) > MaxRedirects:
		return ErrRedirects
	case scheme != "http" && scheme != "https":
		return ErrScheme
	case via[len(via)-1].URL.Scheme == "https" && scheme != "https":
		return ErrDowngrade
	}
	next.URL.User = nil
	next.Header.Del("Referer")
	return nil
}

// CheckRedirected is CheckRedirect for a transport of another package's client: it checks the
// requests that led to this one.
func CheckRedirected(request *http.Request) error {
	var via []*http.Request
	for response := request.Response; response != nil && response.Request != nil && len(via) <= MaxRedirects; response = response.Request.Response {
		via = append(via, response.Request)
	}
	if len(via) == 0 {
		return nil
	}
	// The last request comes last.
	for i, j := 0, len(via)-1; i < j; i, j = i+1, j-1 {
		via[i], via[j] = via[j], via[i]
	}
	return CheckRedirect(request, via)
}
