// Command app is the program in the containers of the end-to-end test that start slowly
// or fail. It is static, and serves its arguments or fails as they specify.
//
//	app                    serves HTTP until SIGTERM
//	app wait DURATION      waits and exits, like a hook
//	app exit CODE          exits with a code
//	app grow               allocates memory until it is killed
//
// The page shows other arguments.
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

// addresses are the addresses that serve the page. A chart declares the ports that it uses.
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

// grow allocates memory and writes to each page of it.
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

// serve serves the page at all addresses, after the delay in the variable START_DELAY.
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
