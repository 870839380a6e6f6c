// Package gitserver serves git repositories for tests, over HTTP and SSH, with the git program.
package gitserver

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// Repository is a repository in a folder.
type Repository struct {
	Dir string
	// Before handles a request, if it returns true. Optional.
	Before func(w http.ResponseWriter, r *http.Request) bool

	mu       sync.Mutex
	requests []string
	bytes    int
}

// New creates an empty repository.
func New(dir string) (*Repository, error) {
	r := &Repository{Dir: dir}
	if _, err := r.Git("", "init", "--quiet", "--initial-branch=main"); err != nil {
		return nil, err
	}
	_, err := r.Git("", "config", "uploadpack.allowReachableSHA1InWant", "true")
	return r, err
}

// Git runs the git program in the repository, and returns its standard output.
func (r *Repository) Git(input string, arguments ...string) (string, error) {
	command := exec.Command("git", arguments...)
	command.Dir = r.Dir
	command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	command.Stdin = strings.NewReader(input)
	var problems bytes.Buffer
	command.Stderr = &problems
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("git %v: %w: %s", arguments, err, problems.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// Commit writes files, removes files without text, and commits the result. It returns the commit.
func (r *Repository) Commit(files map[string]string) (string, error) {
	for name, text := range files {
		path := filepath.Join(r.Dir, name)
		if text == "" {
			if err := os.Remove(path); err != nil {
				return "", err
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	if _, err := r.Git("", "add", "--all"); err != nil {
		return "", err
	}
	if _, err := r.Git("", "commit", "--quiet", "--allow-empty", "--message", "change"); err != nil {
		return "", err
	}
	return r.Git("", "rev-parse", "HEAD")
}

// CommitTree commits a tree, which may be invalid, as the branch main.
func (r *Repository) CommitTree(tree []byte) (string, error) {
	hash, err := r.Git(string(tree), "hash-object", "-t", "tree", "-w", "--stdin", "--literally")
	if err != nil {
		return "", err
	}
	commit, err := r.Git("", "commit-tree", "-m", "change", hash)
	if err != nil {
		return "", err
	}
	_, err = r.Git("", "update-ref", "refs/heads/main", commit)
	return commit, err
}

// TakeRequests returns the requests since the last call, and the number of bytes of the responses.
func (r *Repository) TakeRequests() (requests []string, bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	requests, bytes = r.requests, r.bytes
	r.requests, r.bytes = nil, 0
	return requests, bytes
}

// ServeHTTP implements the smart protocol. The path of the repository is arbitrary.
func (r *Repository) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	r.requests = append(r.requests, strings.TrimSpace(request.Method+" "+request.URL.Path+" "+request.Header.Get("Authorization")))
	before := r.Before
	r.mu.Unlock()
	if before != nil && before(w, request) {
		return
	}
	out := io.MultiWriter(w, (*counter)(r))
	var err error
	switch {
	case strings.HasSuffix(request.URL.Path, "/info/refs") && request.URL.Query().Get("service") == "git-upload-pack":
		w.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		if _, err = io.WriteString(out, "001e# service=git-upload-pack\n0000"); err == nil {
			err = r.uploadPack(nil, out, "--stateless-rpc", "--advertise-refs")
		}
	case strings.HasSuffix(request.URL.Path, "/git-upload-pack") && request.Method == http.MethodPost:
		w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
		err = r.uploadPack(request.Body, out, "--stateless-rpc")
	default:
		http.NotFound(w, request)
	}
	if err != nil {
		panic(http.ErrAbortHandler) // The client sees an incomplete response.
	}
}

// counter counts the bytes of responses.
type counter Repository

func (c *counter) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes += len(p)
	return len(p), nil
}

func (r *Repository) uploadPack(in io.Reader, out io.Writer, arguments ...string) error {
	command := exec.Command("git", append(append([]string{"upload-pack"}, arguments...), r.Dir)...)
	command.Stdin, command.Stdout = in, out
	return command.Run()
}

// ServeSSH accepts connections of a user with a key until the listener is closed. It serves the
// repository for the path /charts.git.
func (r *Repository) ServeSSH(listener net.Listener, host ssh.Signer, allowed ssh.PublicKey) {
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if bytes.Equal(key.Marshal(), allowed.Marshal()) {
			return nil, nil
		}
		return nil, errors.New("unknown key")
	}}
	config.AddHostKey(host)
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go r.serveConnection(connection, config)
	}
}

func (r *Repository) serveConnection(connection net.Conn, config *ssh.ServerConfig) {
	defer func() { _ = connection.Close() }() // The client may have closed it.
	_, channels, requests, err := ssh.NewServerConn(connection, config)
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	for next := range channels {
		channel, requests, err := next.Accept()
		if err != nil {
			return
		}
		for request := range requests {
			var command struct{ Text string }
			if request.Type != "exec" || ssh.Unmarshal(request.Payload, &command) != nil {
				continue
			}
			r.mu.Lock()
			r.requests = append(r.requests, command.Text)
			r.mu.Unlock()
			_ = request.Reply(true, nil)
			if command.Text == "git-upload-pack '/charts.git'" {
				_ = r.uploadPack(channel, io.MultiWriter(channel, (*counter)(r)))
			}
			_ = channel.Close()
		}
	}
}
