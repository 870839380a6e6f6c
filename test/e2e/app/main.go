// Command app is the container of every app in the end-to-end test: one static program
// that serves what it was started with, or fails as it is told.
//
//	app                    serves HTTP until SIGTERM
//	app create PAGE        writes /pages/PAGE.md and ends, as an init container does
//	app wait DURATION      waits and ends, as a hook does
//	app exit CODE          ends with a code
//	app grow               takes memory until it is killed
//
// Other arguments are shown by the page.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// addresses are those at which the page is served; an app names the ports that it uses.
var addresses = []string{":8080", ":8081", ":8082"}

// volumes are the folders in which a visit is noted, where they exist.
var volumes = []string{"/data", "/pages", "/rooms"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return serve(ctx)
	}
	switch args[0] {
	case "create":
		return os.WriteFile(filepath.Join("/pages", args[1]+".md"), []byte(args[1]), 0o600)
	case "wait":
		duration, err := time.ParseDuration(args[1])
		if err != nil {
			return err
		}
		time.Sleep(duration)
		return nil
	case "exit":
		code, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		os.Exit(code)
	case "grow":
		grow()
	}
	return serve(ctx)
}

// grow takes memory and uses each page of it.
func grow() {
	var taken [][]byte
	for {
		block := make([]byte, 1<<20)
		for i := 0; i < len(block); i += 4096 {
			block[i] = 1
		}
		taken = append(taken, block)
		time.Sleep(time.Millisecond)
		_ = taken
	}
}

// serve serves the page at all addresses. It begins after the time that the variable
// START_DELAY names.
func serve(ctx context.Context) error {
	if delay, err := time.ParseDuration(os.Getenv("START_DELAY")); err == nil {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(delay):
		}
	}
	failed := make(chan error, len(addresses))
	for _, address := range addresses {
		server := &http.Server{Addr: address, Handler: http.HandlerFunc(page), ReadHeaderTimeout: 10 * time.Second}
		go func() { failed <- server.ListenAndServe() }()
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

// page shows the image, the arguments and the configuration of the app, and how often its
// volumes were visited.
func page(w http.ResponseWriter, _ *http.Request) {
	_, _ = fmt.Fprintf(w, "app=%s version=%s args=%q\n", os.Getenv("APP"), os.Getenv("APP_VERSION"), os.Args[1:])
	if text, err := os.ReadFile("/srv/index.html"); err == nil {
		_, _ = w.Write(text)
	}
	for _, volume := range volumes {
		if _, err := os.Stat(volume); errors.Is(err, os.ErrNotExist) {
			continue
		}
		_, _ = fmt.Fprintf(w, "%s: %s\n", volume, visit(filepath.Join(volume, "visits")))
	}
}

// visit notes a visit in a file, and returns how many there are or why it cannot.
func visit(path string) string {
	before, _ := os.ReadFile(path) // The first visit finds no file.
	if err := os.WriteFile(path, append(before, '.'), 0o600); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d visits", len(before)+1)
}
