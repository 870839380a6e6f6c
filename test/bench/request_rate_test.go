package bench_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// connections is the number of concurrent clients. Each sends its next request after a response.
const connections = 16

// measureRate sends requests to a URL for a while and returns the number of complete responses per second.
// It writes HTTP/1.1 to the connection directly, because an HTTP client would take more CPU time
// than the server and would distort the result.
func measureRate(target string, length int64, during time.Duration) (float64, error) {
	u, err := url.Parse(target)
	if err != nil {
		return 0, err
	}
	request := []byte("GET " + u.Path + " HTTP/1.1\r\nHost: " + u.Host + "\r\nAccept-Encoding: identity\r\n\r\n")
	counts, errs := make([]int, connections), make([]error, connections)
	var all sync.WaitGroup
	begin := time.Now()
	for i := range connections {
		all.Go(func() { counts[i], errs[i] = sendRequests(u.Host, request, length, begin.Add(during)) })
	}
	all.Wait()
	took := time.Since(begin)
	total := 0
	for i := range connections {
		if errs[i] != nil {
			return 0, fmt.Errorf("get %s: %w", target, errs[i])
		}
		total += counts[i]
	}
	return float64(total) / took.Seconds(), nil
}

// sendRequests sends requests on one connection until the time is over.
func sendRequests(host string, request []byte, length int64, until time.Time) (int, error) {
	conn, err := net.Dial("tcp", host)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(until.Add(10 * time.Second)); err != nil {
		return 0, err
	}
	in := bufio.NewReaderSize(conn, 64<<10)
	count := 0
	for ; time.Now().Before(until); count++ {
		if _, err := conn.Write(request); err != nil {
			return 0, err
		}
		if err := readResponse(in, length); err != nil {
			return 0, err
		}
	}
	return count, nil
}

// readResponse reads one response, which must be complete and have the given length.
func readResponse(in *bufio.Reader, length int64) error {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("answered %q", line)
	}
	announced := int64(-1)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			break
		}
		const name = "Content-Length:"
		if len(line) > len(name) && strings.EqualFold(string(line[:len(name)]), name) {
			if announced, err = strconv.ParseInt(string(bytes.TrimSpace(line[len(name):])), 10, 64); err != nil {
				return err
			}
		}
	}
	if announced != length {
		return fmt.Errorf("announced %d bytes, not %d", announced, length)
	}
	_, err = io.CopyN(io.Discard, in, length)
	return err
}
