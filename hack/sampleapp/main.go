// Command sampleapp is the program of every sample app. It serves a page with the name
// and the version of the app, its arguments, its settings and the number of visits:
//
//	APP=hello APP_VERSION=1.1 sampleapp
//
// Sample charts also run it in Jobs: `sampleapp create NAME` creates a page, and
// `sampleapp URL` succeeds if the URL responds with status 200.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "sampleapp:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 2 && args[0] == "create":
		return createPage("/pages", args[1])
	case len(args) == 1 && strings.HasPrefix(args[0], "http://"):
		return get(ctx, args[0])
	}
	// The sample charts use these ports. Each serves the same page.
	return serve(ctx, []string{":8080", ":8081", ":8082"}, appFromEnvironment(args))
}

// createPage creates an empty page of a wiki unless it exists.
func createPage(folder, name string) error {
	file, err := os.OpenFile(filepath.Join(folder, filepath.Base(name)), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

// get returns an error unless the URL responds with status 200 within 10 seconds.
func get(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("get %s: unexpected HTTP status %s", url, response.Status)
	}
	return nil
}

// serve serves the page of an app at addresses until the context ends.
func serve(ctx context.Context, addresses []string, app app) (err error) {
	ended := make(chan error, len(addresses))
	for _, address := range addresses {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err != nil {
			return err
		}
		server := &http.Server{Handler: app, ReadHeaderTimeout: 10 * time.Second}
		go func() { ended <- server.Serve(listener) }()
		defer func() { err = errors.Join(err, server.Close()) }()
	}
	fmt.Println(app.Name, app.Version, "serves", strings.Join(addresses, ", "))
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return nil
	}
}

// isMissing reports whether a file or folder does not exist.
func isMissing(err error) bool { return errors.Is(err, os.ErrNotExist) }
