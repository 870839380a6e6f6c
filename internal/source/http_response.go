package source

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
)

// checkStatus returns an error for a status other than 200.
func (c *httpClient) checkStatus(response *http.Response, target *url.URL) error {
	if response.StatusCode == http.StatusOK {
		return nil
	}
	err := fmt.Errorf("get %s: server returned %d %s", redactURL(target), response.StatusCode, http.StatusText(response.StatusCode))
	switch response.StatusCode {
	case http.StatusNotFound, http.StatusGone:
		return outcome.Stalled(v1alpha1.ReasonNotFound, fmt.Errorf("%w: check the URL", err))
	case http.StatusUnauthorized, http.StatusForbidden:
		return outcome.Failed(v1alpha1.ReasonUnauthorized, fmt.Errorf("%w: %s", err, c.credentialsAdvice(response.Request.URL)))
	case http.StatusProxyAuthRequired:
		return accessError(redactURL(target), c.field, netguard.ProxyStatus(response.StatusCode))
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		if after := netguard.RetryAfter(response.Header, time.Now()); after > 0 {
			return outcome.Waiting(v1alpha1.ReasonRateLimited, after, err)
		}
	}
	if response.StatusCode == http.StatusTooManyRequests {
		return outcome.Failed(v1alpha1.ReasonRateLimited, err)
	}
	return outcome.Failed(v1alpha1.ReasonFetchFailed, err)
}

// credentialsAdvice returns what to do if a server rejects a request.
func (c *httpClient) credentialsAdvice(server *url.URL) string {
	if c.field == "" || !sameOrigin(server, c.baseURL) {
		return "the operator sends no credentials to this server"
	}
	return "check the credentials in the Secret of " + c.field + ".secretRef, and the URL"
}

// readArchiveBody reads the body of a response, which must be an archive within the limit.
func (c *httpClient) readArchiveBody(response *http.Response, target *url.URL) ([]byte, error) {
	data, err := netguard.ReadBody(response, chart.MaxArchiveBytes)
	if errors.Is(err, netguard.ErrTooLarge) {
		return nil, outcome.Stalled(v1alpha1.ReasonLimitExceeded, fmt.Errorf("get %s: the archive is larger than %d bytes", redactURL(target), chart.MaxArchiveBytes))
	}
	if err != nil {
		return nil, c.connectionError(target, err)
	}
	if isHTML(response) && !isGzip(data) {
		err := errors.New("server returned an HTML page instead of an archive: check the URL in the index")
		return nil, outcome.Stalled(v1alpha1.ReasonInvalidArchive, fmt.Errorf("get %s: %w", redactURL(target), err))
	}
	return data, nil
}

func isHTML(response *http.Response) bool {
	kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	return err == nil && (kind == "text/html" || kind == "application/xhtml+xml")
}

func isGzip(data []byte) bool {
	return len(data) > 2 && data[0] == 0x1f && data[1] == 0x8b
}
