package source

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/source/git"
)

const (
	referencesPath = "/info/refs"
	packService    = "git-upload-pack"
)

// errNotGit is the error for a server that does not speak the smart protocol.
var errNotGit = outcome.Stalled(v1alpha1.ReasonNotFound, errors.New("the server has no git repository at this URL, or does not support the smart protocol"))

// gitHTTP is a repository that is accessed over HTTPS.
type gitHTTP struct {
	client   *httpClient
	location *url.URL
}

func newGitHTTP(cfg Config, location *url.URL) (*gitHTTP, error) {
	from := *cfg.Git
	client, err := newHTTPClient(cfg, httpAccess{
		field: "spec.git", username: from.Username, password: from.Password, token: from.Token, transport: from.TransportConfig, timeout: from.Timeout,
	}, location)
	if err != nil {
		return nil, err
	}
	base := *location
	base.Path = strings.TrimRight(base.Path, "/")
	base.RawPath, base.RawQuery, base.Fragment = "", "", ""
	return &gitHTTP{client: client, location: &base}, nil
}

// connect requests the references.
func (g *gitHTTP) connect(ctx context.Context) (gitSession, error) {
	target := *g.location
	target.Path += referencesPath
	target.RawQuery = "service=" + packService
	response, err := g.client.sendGet(ctx, &target, nil)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if err := g.client.checkStatus(response, &target); err != nil {
		return nil, err
	}
	if response.Header.Get("Content-Type") != "application/x-"+packService+"-advertisement" {
		return nil, errNotGit
	}
	found, err := git.ReadReferences(response.Body)
	if err != nil {
		return nil, err
	}
	// A server can redirect to the URL of the repository that it prefers.
	at := *response.Request.URL
	path, isReferences := strings.CutSuffix(at.Path, referencesPath)
	if !isReferences {
		return nil, errNotGit
	}
	at.Path, at.RawPath, at.RawQuery = path+"/"+packService, "", ""
	return &gitHTTPSession{gitHTTP: g, found: found, target: &at}, nil
}

// gitHTTPSession requests a pack. Requests of the protocol do not depend on each other.
type gitHTTPSession struct {
	*gitHTTP
	found  git.References
	target *url.URL
}

// Close does nothing.
func (s *gitHTTPSession) Close() error { return nil }

func (s *gitHTTPSession) references() git.References { return s.found }

func (s *gitHTTPSession) fetchPack(ctx context.Context, commit string, to io.Writer) error {
	request, err := s.found.NewRequest(commit)
	if err != nil {
		return err
	}
	response, err := s.client.send(ctx, http.MethodPost, s.target, http.Header{
		"Content-Type": {"application/x-" + packService + "-request"}, "Accept": {"application/x-" + packService + "-result"},
	}, bytes.NewReader(request.Body))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := s.client.checkStatus(response, s.target); err != nil {
		return err
	}
	if response.Header.Get("Content-Type") != "application/x-"+packService+"-result" {
		return errNotGit
	}
	return request.ReadPack(response.Body, to)
}
