package release

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var (
	// openRequest matches the request without a response in an error of an HTTP client.
	openRequest = regexp.MustCompile(`\b(Get|Post|Put|Patch|Delete) "https?://[^/"]+(/[^"?]*)[^"]*":?`)
	// contextWords matches the text of a context error of Go, including the text of the client that
	// wraps it.
	contextWords = regexp.MustCompile(`(?:client rate limiter Wait returned an error|net/http: request canceled|rate: Wait\(n=1\) would exceed context deadline)?(?:[:(\s]*context (?:deadline exceeded|canceled))\)?(?: \(Client\.Timeout exceeded while awaiting headers\))?`)
)

// contextEndedError is the error of an operation that ended with its context. Its text does not contain the
// context error of Go.
type contextEndedError struct {
	text  string
	cause error
}

func (e *contextEndedError) Error() string { return e.text }
func (e *contextEndedError) Unwrap() error { return e.cause }

// newContextEndedError returns the error of an operation that was ended by its context. The error names the
// request to the API server that got no response, if err contains one.
func (o *operation) newContextEndedError(err error) error {
	if known, ok := errors.AsType[*contextEndedError](err); ok {
		return known
	}
	text := err.Error()
	if m := openRequest.FindStringSubmatch(text); m != nil {
		text = fmt.Sprintf("the API server did not answer %s %s in time", strings.ToUpper(m[1]), m[2])
	}
	text = strings.Trim(contextWords.ReplaceAllString(oneLine(withoutDetails(text)), ""), ": ")
	if text == "" {
		text = "the operation did not end in time"
	}
	if o.release != nil {
		text = fmt.Sprintf("release %q: %s", o.release.Name, text)
	}
	return &contextEndedError{text: text, cause: o.ctx.Err()}
}
