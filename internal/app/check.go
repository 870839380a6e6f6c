package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// checkCommand is the argument that makes the program request URLs and exit. It is used by
// `helm test`, because the image contains no shell and no other program.
const checkCommand = "check"

// checkTimeout is the time limit of a request, and checkInterval the time between two
// attempts.
const (
	checkTimeout  = 5 * time.Second
	checkInterval = time.Second
)

// checkURLs requests each URL until the response has status 200, and writes a line for each.
// It fails when the context is done. A Service can need some seconds until it reaches a new
// pod.
func checkURLs(ctx context.Context, urls []string, out io.Writer) error {
	if len(urls) == 0 {
		return errors.New("usage: appmarket check URL [more URLs]")
	}
	for _, url := range urls {
		err := checkURL(ctx, url)
		for err != nil {
			select {
			case <-ctx.Done():
				return fmt.Errorf("check %s: %w", url, err)
			case <-time.After(checkInterval):
			}
			err = checkURL(ctx, url)
		}
		fmt.Fprintln(out, url, "is served")
	}
	return nil
}

func checkURL(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	request.Header.Set("User-Agent", userAgent())
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("unexpected HTTP status %s", response.Status)
	}
	return nil
}
