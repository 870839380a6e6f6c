package git

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
)

// ErrResponse indicates a response that does not follow the protocol.
var ErrResponse = errors.New("the response does not follow the git protocol")

// References are the references of a repository.
type References struct {
	advertised *packp.AdvRefs
}

// Selection selects a commit. At most one field is set; the default is the default branch.
type Selection struct {
	Branch, Tag, Commit string
	// Semver is a range of versions. It selects the tag with the newest version in the range.
	Semver string
}

// ReadReferences reads the references that a server advertises. An error of the reader is
// wrapped.
func ReadReferences(from io.Reader) (References, error) {
	limited := &limitedReader{from: from, left: MaxReferenceBytes}
	advertised := packp.NewAdvRefs()
	err := advertised.Decode(limited)
	switch {
	case limited.err != nil:
		return References{}, limited.err
	case errors.Is(err, packp.ErrEmptyAdvRefs) || err == nil && advertised.IsEmpty():
		return References{}, notFoundError("the repository is empty")
	case err != nil:
		return References{}, ErrResponse
	}
	return References{advertised}, nil
}

// Select returns the commit that a selection selects, in hexadecimal. An error is Stalled with
// NotFound or InvalidSpec.
func (r References) Select(s Selection) (string, error) {
	switch {
	case s.Commit != "":
		return r.selectCommit(s.Commit)
	case s.Semver != "":
		return r.selectVersion(s.Semver)
	case s.Tag != "":
		return r.find("refs/tags/"+s.Tag, "tag", s.Tag)
	case s.Branch != "":
		return r.find("refs/heads/"+s.Branch, "branch", s.Branch)
	case r.advertised.Head == nil:
		return "", notFoundError("the repository has no default branch: specify a branch")
	}
	return r.advertised.Head.String(), nil
}

func (r References) find(reference, kind, name string) (string, error) {
	if hash, ok := r.advertised.Peeled[reference]; ok { // The commit of an annotated tag.
		return hash.String(), nil
	}
	if hash, ok := r.advertised.References[reference]; ok {
		return hash.String(), nil
	}
	return "", notFoundError("the repository has no %s %q", kind, name)
}

// selectCommit returns a commit that the server allows to request.
func (r References) selectCommit(commit string) (string, error) {
	for _, allowed := range []capability.Capability{capability.AllowReachableSHA1InWant, "allow-any-sha1-in-want"} {
		if r.advertised.Capabilities.Supports(allowed) {
			return commit, nil
		}
	}
	for _, references := range []map[string]plumbing.Hash{r.advertised.References, r.advertised.Peeled} {
		for _, hash := range references {
			if hash.String() == commit {
				return commit, nil
			}
		}
	}
	return "", notFoundError("commit %q is not the end of a branch or a tag, and the server does not allow to fetch other commits: use a tag", commit)
}

// selectVersion returns the commit of the tag with the newest version in a range.
func (r References) selectVersion(text string) (string, error) {
	allowed, err := semver.NewConstraint(text)
	if err != nil {
		return "", invalidError("%q is not a range of versions", text)
	}
	var newest *semver.Version
	var selected string
	for reference := range r.advertised.References {
		tag, isTag := strings.CutPrefix(reference, "refs/tags/")
		version, err := semver.NewVersion(tag)
		if !isTag || err != nil || !allowed.Check(version) {
			continue
		}
		// Tags such as 1.0 and v1.0.0 are the same version: the order must not depend on the map.
		if newest == nil || version.GreaterThan(newest) || version.Equal(newest) && reference > selected {
			newest, selected = version, reference
		}
	}
	if newest == nil {
		return "", notFoundError("no tag of the repository is a version in the range %q", text)
	}
	return r.find(selected, "tag", selected)
}

// NewRequest returns the request for the pack of a commit without its history, and without the
// pack's progress and other streams.
func (r References) NewRequest(commit string) (*Request, error) {
	request := packp.NewUploadPackRequest()
	request.Wants = []plumbing.Hash{plumbing.NewHash(commit)}
	for _, supported := range []capability.Capability{capability.OFSDelta, capability.NoProgress, capability.Shallow} {
		if !r.advertised.Capabilities.Supports(supported) {
			continue
		}
		if err := request.Capabilities.Set(supported); err != nil {
			return nil, fmt.Errorf("set capability: %w", err)
		}
		if supported == capability.Shallow {
			request.Depth = packp.DepthCommits(1)
		}
	}
	var body bytes.Buffer
	if err := request.UploadRequest.Encode(&body); err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	if err := pktline.NewEncoder(&body).EncodeString("done\n"); err != nil {
		return nil, fmt.Errorf("encode request: %w", err)
	}
	return &Request{Body: body.Bytes(), request: request}, nil
}

// Request is a request for a pack.
type Request struct {
	// Body is the text that is sent to the server.
	Body    []byte
	request *packp.UploadPackRequest
}

// ReadPack reads the response to the request, and writes the pack to a writer.
func (r *Request) ReadPack(from io.Reader, to io.Writer) error {
	limited := &limitedReader{from: from, left: MaxPackBytes}
	response := packp.NewUploadPackResponse(r.request)
	if err := response.Decode(io.NopCloser(limited)); err != nil {
		if limited.err != nil {
			return limited.err
		}
		return ErrResponse
	}
	if _, err := io.Copy(to, response); err != nil {
		return err
	}
	return limited.err
}

// limitedReader is a reader that fails with LimitExceeded after left bytes, and keeps its first
// error.
type limitedReader struct {
	from io.Reader
	left int
	err  error
}

func (l *limitedReader) Read(p []byte) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	n, err := l.from.Read(p)
	if l.left -= n; l.left < 0 {
		l.err = limitError("the response of the git server is too large")
		return 0, l.err
	}
	if err != nil && !errors.Is(err, io.EOF) {
		l.err = err
	}
	return n, err
}
