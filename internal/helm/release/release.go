package release

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"helm.sh/helm/v3/pkg/release"

	plain "github.com/appmarket/operator/internal/release"
)

var _ plain.Client = (*Client)(nil)

// DefaultTimeout is the default of the helm command for the duration of a hook.
const DefaultTimeout = 5 * time.Minute

// ConfigDigest returns the digest of values. It equals Release.ConfigDigest if a release has the
// same values.
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

// toRelease returns the newest revision of a history that is sorted by revision.
func (o *operation) toRelease(history []*release.Release) (*plain.Release, error) {
	last := history[len(history)-1]
	digest, err := ConfigDigest(last.Config)
	if err != nil {
		return nil, fmt.Errorf("read release %q: %w", last.Name, err)
	}
	objects, err := o.ObjectRefs(last)
	if err != nil {
		return nil, fmt.Errorf("read release %q: %w", last.Name, err)
	}
	out := &plain.Release{
		Name:         last.Name,
		Namespace:    last.Namespace,
		Revision:     last.Version,
		Status:       last.Info.Status.String(),
		Pending:      isPending(last),
		Interrupted:  isInterrupted(last),
		Deployed:     hasBeenDeployed(history),
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

// isPending reports whether an operation on the release is in progress, or was interrupted and not
// settled.
func isPending(r *release.Release) bool {
	return r.Info.Status.IsPending() || r.Info.Status == release.StatusUninstalling
}

// hasBeenDeployed reports whether any of the revisions was complete. Helm marks a revision as
// superseded only when a later one is complete.
func hasBeenDeployed(history []*release.Release) bool {
	for _, r := range history {
		if r.Info.Status == release.StatusDeployed || r.Info.Status == release.StatusSuperseded {
			return true
		}
	}
	return false
}
