package main

import (
	"context"
	"fmt"
	"io"
	"net"
)

// forward accepts connections at an address and connects each to another address, until ctx ends.
func forward(ctx context.Context, from, to string) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", from)
	if err != nil {
		return fmt.Errorf("forward %s: %w", from, err)
	}
	// Close only ends Accept, whose error is not reported after ctx has ended.
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() })
	defer stop()
	for {
		client, err := listener.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("forward %s: %w", from, err)
		}
		go join(ctx, client, to)
	}
}

// join copies both ways until both sides have ended.
func join(ctx context.Context, client net.Conn, to string) {
	defer client.Close()
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", to)
	if err != nil {
		return // The client sees that its connection ends.
	}
	defer server.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		transfer(server, client)
	}()
	transfer(client, server)
	<-done
}

// transfer copies one way, and passes on that the sender has ended.
func transfer(to, from net.Conn) {
	_, _ = io.Copy(to, from) // A connection that breaks ends like one that is closed.
	if half, ok := to.(*net.TCPConn); ok {
		_ = half.CloseWrite() // It fails if the receiver has closed the connection, and then has nothing to pass on.
	}
}
