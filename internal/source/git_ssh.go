package source

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/netguard"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source/git"
)

// sshDialTimeout is the time limit for opening a connection, and for the handshake.
const sshDialTimeout = 10 * time.Second

// gitSSH is a repository that is accessed over SSH. Proxies are not used.
type gitSSH struct {
	network netguard.Policy
	config  ssh.ClientConfig
	host    *url.URL
	address string
	command string
	timeout time.Duration
}

func newGitSSH(cfg Config, location *url.URL, checkouts *Checkouts) (*gitSSH, error) {
	from := cfg.Git
	if len(from.PrivateKey) == 0 || len(from.KnownHosts) == 0 {
		return nil, errors.New("spec.git.secretRef: a repository over SSH requires a Secret with the keys ssh-privatekey and known_hosts")
	}
	signer, err := ssh.ParsePrivateKey(from.PrivateKey)
	if err != nil {
		return nil, errors.New("spec.git.secretRef: ssh-privatekey is not a private key in PEM without a passphrase")
	}
	check, err := checkouts.parseKnownHosts(from.KnownHosts)
	if volume, isVolume := errors.AsType[*fs.PathError](err); isVolume {
		// The volume is full or read-only. The path differs for each attempt.
		return nil, outcome.Failed(v1alpha1.ReasonFetchFailed, fmt.Errorf("write known_hosts to the volume of the operator: %w", volume.Err))
	}
	if err != nil {
		return nil, errors.New("spec.git.secretRef: known_hosts is invalid: add the output of ssh-keyscan after you verified the keys")
	}
	address := net.JoinHostPort(location.Hostname(), cmp.Or(location.Port(), "22"))
	return &gitSSH{
		network: cfg.Network, host: location, address: address, timeout: cmp.Or(from.Timeout, DefaultTimeout),
		command: packService + " '" + strings.ReplaceAll(location.Path, "'", `'\''`) + "'",
		config: ssh.ClientConfig{
			User: cmp.Or(location.User.Username(), "git"), Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)},
			HostKeyCallback: check, HostKeyAlgorithms: hostKeyAlgorithms(check, address), ClientVersion: "SSH-2.0-AppMarket",
		},
	}, nil
}

// parseKnownHosts parses the lines of a known_hosts file. The library only reads files, and the
// volume is the only place where the operator can write one.
func (g *Checkouts) parseKnownHosts(text []byte) (ssh.HostKeyCallback, error) {
	if err := g.makeDir(); err != nil {
		return nil, err
	}
	file, err := os.CreateTemp(g.Dir, "known-hosts-")
	if err != nil {
		return nil, fmt.Errorf("create file: %w", err)
	}
	_, err = io.Copy(file, bytes.NewReader(text))
	var check ssh.HostKeyCallback
	if err = errors.Join(err, file.Close()); err == nil {
		check, err = knownhosts.New(file.Name())
	}
	return check, errors.Join(err, os.Remove(file.Name()))
}

// hostKeyAlgorithms returns the algorithms of the keys that are known for a server, so that it does
// not present a key of another type.
func hostKeyAlgorithms(check ssh.HostKeyCallback, address string) []string {
	known, ok := errors.AsType[*knownhosts.KeyError](check(address, &net.TCPAddr{}, noKey{}))
	if !ok {
		return nil
	}
	var algorithms []string
	for _, each := range known.Want {
		if kind := each.Key.Type(); kind == ssh.KeyAlgoRSA {
			algorithms = append(algorithms, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		} else {
			algorithms = append(algorithms, kind)
		}
	}
	return algorithms
}

// noKey is a public key that no server has.
type noKey struct{}

func (noKey) Type() string                        { return "none" }
func (noKey) Marshal() []byte                     { return nil }
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("not a key") }

// connect opens a connection and reads the references.
func (g *gitSSH) connect(ctx context.Context) (gitSession, error) {
	if err := g.network.CheckURL(g.host); err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: sshDialTimeout, Control: g.network.Control}
	connection, err := dialer.DialContext(ctx, "tcp", g.address)
	if err != nil {
		return nil, err
	}
	session := &gitSSHSession{connection: connection, stop: context.AfterFunc(ctx, func() { _ = connection.Close() })}
	if err := session.start(g); err != nil {
		return nil, errors.Join(g.toSSHError(err), session.Close())
	}
	return session, nil
}

// gitSSHSession is a connection on which git-upload-pack runs.
type gitSSHSession struct {
	connection net.Conn
	stop       func() bool
	timeout    time.Duration
	in         io.WriteCloser
	out        io.Reader
	found      git.References
}

func (s *gitSSHSession) start(g *gitSSH) error {
	s.timeout = g.timeout
	if err := s.connection.SetDeadline(time.Now().Add(s.timeout)); err != nil {
		return fmt.Errorf("set deadline: %w", err)
	}
	secure, channels, requests, err := ssh.NewClientConn(s.connection, g.address, &g.config)
	if err != nil {
		return err
	}
	session, err := ssh.NewClient(secure, channels, requests).NewSession()
	if err != nil {
		return err
	}
	if s.in, err = session.StdinPipe(); err != nil {
		return err
	}
	if s.out, err = session.StdoutPipe(); err != nil {
		return err
	}
	if err := session.Start(g.command); err != nil {
		return err
	}
	s.found, err = git.ReadReferences(s.out)
	if errors.Is(err, git.ErrResponse) {
		return outcome.Failed(v1alpha1.ReasonNotFound, errors.New("the server has no git repository at this path, or the key has no access to it"))
	}
	return err
}

func (s *gitSSHSession) references() git.References { return s.found }

func (s *gitSSHSession) fetchPack(_ context.Context, commit string, to io.Writer) error {
	request, err := s.found.NewRequest(commit)
	if err != nil {
		return err
	}
	if err := s.connection.SetDeadline(time.Now().Add(s.timeout)); err != nil {
		return fmt.Errorf("set deadline: %w", err)
	}
	if _, err := s.in.Write(request.Body); err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	// A server waits for the end of the input before it ends the session.
	if err := s.in.Close(); err != nil {
		return fmt.Errorf("send request: %w", err)
	}
	return request.ReadPack(s.out, to)
}

// Close closes the connection.
func (s *gitSSHSession) Close() error {
	s.stop()
	if err := s.connection.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close connection: %w", err)
	}
	return nil
}

// toSSHError adds the reasons of the handshake.
func (g *gitSSH) toSSHError(err error) error {
	if unknown, ok := errors.AsType[*knownhosts.KeyError](err); ok {
		problem := "the server has another key than in known_hosts"
		if len(unknown.Want) == 0 {
			problem = "known_hosts has no key of the server"
		}
		return outcome.Stalled(v1alpha1.ReasonUnauthorized, errors.New(problem+": correct the Secret of spec.git.secretRef"))
	}
	if strings.Contains(err.Error(), "unable to authenticate") {
		return outcome.Failed(v1alpha1.ReasonUnauthorized, errors.New("the server rejected the key ssh-privatekey in the Secret of spec.git.secretRef"))
	}
	return err
}
