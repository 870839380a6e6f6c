// Command app is the container of the apps of the end-to-end test that are slow or fail:
// one static program that serves what it was started with, or fails as it is told.
//
//	app                    serves HTTP until SIGTERM
//	app wait DURATION      waits and ends, as a hook does
//	app exit CODE          ends with a code
//	app grow               takes memory until it is killed
//
// Other arguments are shown by the page.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// addresses are those at which the page is served; an app names the ports that it uses.
var addresses = []string{":8080", ":8081", ":8082"}

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

// page shows the image and the arguments of the app.
func page(w http.ResponseWriter, _ *http.Request) {
	_, _ = fmt.Fprintf(w, "app=%s version=%s args=%q\n", os.Getenv("APP"), os.Getenv("APP_VERSION"), os.Args[1:])
}
