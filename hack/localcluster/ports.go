package main

import (
	"fmt"
	"net"
)

const loopback = "127.0.0.1"

// freePorts returns n loopback ports that nobody held at this moment, all different.
func freePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range n {
		listener, err := net.Listen("tcp", net.JoinHostPort(loopback, "0"))
		if err != nil {
			return nil, fmt.Errorf("find free port: %w", err)
		}
		// Held until the last one is chosen: otherwise the same port might be given twice.
		defer listener.Close()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}
