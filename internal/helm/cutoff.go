package helm

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

var (
	// openRequest is how an HTTP client names the request that was not answered.
	openRequest = regexp.MustCompile(`\b(Get|Post|Put|Patch|Delete) "https?://[^/"]+(/[^"?]*)[^"]*":?`)
	// contextWords are Go's words for the end of a context, and those of the client that
	// wraps them.
	contextWords = regexp.MustCompile(`(?:client rate limiter Wait returned an error|net/http: request canceled|rate: Wait\(n=1\) would exceed context deadline)?(?:[:(\s]*context (?:deadline exceeded|canceled))\)?(?: \(Client\.Timeout exceeded while awaiting headers\))?`)
)

// cutOff is the error of an operation that ended with its context, in words without
// those of Go.
type cutOff struct {
	text  string
	cause error
}

func (e *cutOff) Error() string { return e.text }
func (e *cutOff) Unwrap() error { return e.cause }

// cutOffError returns the error of an operation that its context has ended, and names the
// request to the API server that was not answered, if err does.
func (o *operation) cutOffError(err error) error {
	if known, ok := errors.AsType[*cutOff](err); ok {
		return known
	}
	text := err.Error()
	if m := openRequest.FindStringSubmatch(text); m != nil {
		text = fmt.Sprintf("the API server had not answered %s %s", strings.ToUpper(m[1]), m[2])
	}
	text = strings.Trim(contextWords.ReplaceAllString(oneLine(withoutDetails(text)), ""), ": ")
	if text == "" {
		text = "it was still at work"
	}
	if o.release != nil {
		text = fmt.Sprintf("release %q: %s", o.release.Name, text)
	}
	return &cutOff{text: text, cause: o.ctx.Err()}
}
