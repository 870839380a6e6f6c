package helm

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"helm.sh/helm/v3/pkg/release"

	"github.com/appmarket/operator/api/v1alpha1"
	plain "github.com/appmarket/operator/internal/release"
)

// What operations are given and give is said in plain types, which controllers
// share.
type (
	// Spec is what a release should be.
	Spec = plain.Spec
	// Rollback is which of its revisions a release should go back to.
	Rollback = plain.Rollback
	// Removal is how a release should be removed.
	Removal = plain.Removal
	// Release is the newest revision of a release.
	Release = plain.Release
	// ObjectRef names an object of a release.
	ObjectRef = v1alpha1.ObjectReference
	// Tenant is a service account that Helm acts as.
	Tenant = plain.Tenant
)

var _ plain.Client = (*Client)(nil)

// DefaultTimeout is how long a hook may take, as with the helm command.
const DefaultTimeout = 5 * time.Minute

// Status is where a release stands. There are more than these, which a caller
// has no need to tell apart.
const (
	StatusDeployed     = string(release.StatusDeployed)
	StatusFailed       = string(release.StatusFailed)
	StatusUninstalled  = string(release.StatusUninstalled)
	StatusUninstalling = string(release.StatusUninstalling)
)

// ConfigDigest is the digest over values by which an installed release shows
// whether it has these values.
func ConfigDigest(values map[string]any) (string, error) {
	if len(values) == 0 {
		values = map[string]any{}
	}
	text, err := json.Marshal(values)
	if err != nil {
		return "", fmt.Errorf("encode values: %w", err)
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// toRelease tells of the newest of the revisions, which are sorted by revision.
func (c *Client) toRelease(history []*release.Release) (*Release, error) {
	last := history[len(history)-1]
	digest, err := ConfigDigest(last.Config)
	if err != nil {
		return nil, fmt.Errorf("read release %q: %w", last.Name, err)
	}
	objects, err := c.objects(last)
	if err != nil {
		return nil, fmt.Errorf("read release %q: %w", last.Name, err)
	}
	out := &Release{
		Name:         last.Name,
		Namespace:    last.Namespace,
		Revision:     last.Version,
		Status:       last.Info.Status.String(),
		Pending:      pending(last),
		Interrupted:  interrupted(last),
		Deployed:     everDeployed(history),
		Description:  last.Info.Description,
		Objects:      objects,
		Notes:        last.Info.Notes,
		Hooks:        len(last.Hooks),
		Time:         last.Info.LastDeployed.Time,
		ConfigDigest: digest,
		Labels:       last.Labels,
	}
	if last.Chart != nil && last.Chart.Metadata != nil {
		meta := last.Chart.Metadata
		out.ChartName, out.ChartVersion, out.AppVersion = meta.Name, meta.Version, meta.AppVersion
	}
	return out, nil
}

// pending reports whether somebody works on the release, or did when it was cut
// off.
func pending(r *release.Release) bool {
	return r.Info.Status.IsPending() || r.Info.Status == release.StatusUninstalling
}

// everDeployed reports whether the release was complete at any time. Helm marks
// a revision as superseded only when a later one is complete.
func everDeployed(history []*release.Release) bool {
	for _, r := range history {
		if r.Info.Status == release.StatusDeployed || r.Info.Status == release.StatusSuperseded {
			return true
		}
	}
	return false
}
