package pages_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/remotecommand"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
)

// serve serves logs and commands as a kubelet does.
func (k *kubelet) serve(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/exec/") {
		k.serveExec(w, r)
		return
	}
	k.serveLog(w, r)
}

// serveExec runs a small shell for a command.
func (k *kubelet) serveExec(w http.ResponseWriter, r *http.Request) {
	container := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
	if container == "bare" { // The text of a node with containerd.
		http.Error(w, `error executing command in container: failed to exec in container: OCI runtime exec failed: exec: "sh": executable file not found in $PATH`, http.StatusInternalServerError)
		return
	}
	if _, err := httpstream.Handshake(r, w, []string{remotecommand.StreamProtocolV5Name, remotecommand.StreamProtocolV4Name}); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	opened := make(chan httpstream.Stream, 10)
	conn := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(stream httpstream.Stream, replied <-chan struct{}) error {
		go func() {
			<-replied
			opened <- stream
		}()
		return nil
	})
	if conn == nil {
		return
	}
	defer conn.Close() // The test fails without the output.
	k.mu.Lock()
	k.queries = append(k.queries, r.URL.Query())
	k.shells++
	k.mu.Unlock()
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.shells--
	}()
	streams := map[string]httpstream.Stream{}
	for range 4 {
		select {
		case stream := <-opened:
			streams[stream.Headers().Get("streamType")] = stream
		case <-time.After(10 * time.Second):
			return
		}
	}
	sh := &fakeShell{input: streams["stdin"], output: streams["stdout"], kill: k.killed()}
	go sh.readSizes(streams["resize"])
	code := sh.run()
	status := metav1.Status{Status: metav1.StatusSuccess}
	if code != 0 {
		status = metav1.Status{Status: metav1.StatusFailure, Reason: remotecommand.NonZeroExitCodeReason, Message: fmt.Sprintf("command terminated with exit code %d", code)}
		status.Details = &metav1.StatusDetails{Causes: []metav1.StatusCause{{Type: remotecommand.ExitCodeCauseType, Message: fmt.Sprint(code)}}}
	}
	content, err := json.Marshal(status)
	if err == nil {
		_, err = streams["error"].Write(content)
	}
	if err == nil {
		_ = streams["stdout"].Close() // The test fails without the output.
		_ = streams["error"].Close()
		<-conn.CloseChan()
	}
}

// killed returns the channel that is closed when the present shells are killed.
func (k *kubelet) killed() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.kill
}

// killShells ends the present shells.
func (k *kubelet) killShells() {
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.kill)
	k.kill = make(chan struct{})
}

// fakeShell echoes each line, and knows the commands size, flood and exit.
type fakeShell struct {
	input  io.Reader
	output io.Writer
	kill   <-chan struct{}

	mu            sync.Mutex
	width, height int
}

func (s *fakeShell) readSizes(sizes io.Reader) {
	decoder := json.NewDecoder(sizes)
	for {
		var size struct{ Width, Height int }
		if decoder.Decode(&size) != nil {
			return
		}
		s.mu.Lock()
		s.width, s.height = size.Width, size.Height
		s.mu.Unlock()
	}
}

// run runs the shell until its input ends, and returns its exit code.
func (s *fakeShell) run() int {
	fmt.Fprint(s.output, "$ ")
	lines := make(chan string)
	go func() {
		defer close(lines)
		reader := bufio.NewReader(s.input)
		for {
			line, err := reader.ReadString('\r')
			if err != nil {
				return
			}
			lines <- strings.TrimSpace(line)
		}
	}()
	for {
		select {
		case <-s.kill:
			return 137
		case line, isOpen := <-lines:
			switch {
			case !isOpen:
				return 0
			case line == "size":
				s.mu.Lock()
				fmt.Fprintf(s.output, "size is %dx%d\r\n$ ", s.width, s.height)
				s.mu.Unlock()
			case line == "flood":
				chunk := strings.Repeat(strings.Repeat("x", 78)+"\r\n", 400)
				for range 200 {
					if _, err := io.WriteString(s.output, chunk); err != nil {
						return 1
					}
				}
				fmt.Fprint(s.output, "flooded\r\n$ ")
			case line == "exit":
				return 3
			case line == "exit 127":
				return 127
			default:
				fmt.Fprintf(s.output, "%s\r\nyou said %s\r\n$ ", line, line)
			}
		}
	}
}
