package netguard

import (
	"errors"
	"fmt"
	"net/http"
)

// MaxRedirects bounds how often one request is redirected.
const MaxRedirects = 5

// Why a redirect, or a URL, is not followed.
var (
	ErrRedirects = fmt.Errorf("redirected more than %d times", MaxRedirects)
	ErrDowngrade = errors.New("redirected from https to http")
	ErrScheme    = errors.New("only http and https are supported")
)

// CheckRedirect is for http.Client: it returns why a redirect is not followed, and removes
// from the next request what is none of the next server's concern. Credentials are the
// caller's.
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

// CheckRedirected is CheckRedirect for a transport, whose client is not ours: it looks at
// the requests that led to this one.
func CheckRedirected(request *http.Request) error {
	var via []*http.Request
	for answer := request.Response; answer != nil && answer.Request != nil && len(via) <= MaxRedirects; answer = answer.Request.Response {
		via = append(via, answer.Request)
	}
	if len(via) == 0 {
		return nil
	}
	// The last one comes last.
	for i, j := 0, len(via)-1; i < j; i, j = i+1, j-1 {
		via[i], via[j] = via[j], via[i]
	}
	return CheckRedirect(request, via)
}
