package release

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"

	"helm.sh/helm/v3/pkg/action"
	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/release"
	"helm.sh/helm/v3/pkg/storage/driver"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/failpoint"
	"github.com/appmarket/operator/internal/helm/cluster"
	"github.com/appmarket/operator/internal/outcome"
	plain "github.com/appmarket/operator/internal/release"
)

// Get returns the newest revision of a release, nil if there is none.
func (c *Client) Get(ctx context.Context, name string) (*plain.Release, error) {
	o, err := c.newOperation(ctx)
	if err != nil {
		return nil, err
	}
	history, err := o.readHistory(name)
	if err != nil || len(history) == 0 {
		return nil, o.classifyError(v1alpha1.ReasonInstallFailed, err)
	}
	return o.toRelease(history)
}

// Install creates a release. If a release with the same name exists and was never complete, Install
// continues it if it has the labels of spec. Any other existing release is an error and is not
// changed. Install waits for hooks, but not for readiness.
//
// When ctx ends, the operation ends, and Install settles the release.
func (c *Client) Install(ctx context.Context, spec plain.Spec) (*plain.Release, error) {
	return c.installOrUpgrade(ctx, spec, func(history []*release.Release) error {
		if len(history) == 0 || history[len(history)-1].Info.Status == release.StatusUninstalled {
			return nil
		}
		if hasBeenDeployed(history) || !hasLabels(history[len(history)-1].Labels, spec.Labels) {
			return outcome.Failed(v1alpha1.ReasonInstallFailed, fmt.Errorf(
				"install release %q: namespace %s already has a release with this name", spec.Name, c.tenant.Namespace))
		}
		return nil
	})
}

// Upgrade updates a release to spec. If no revision was ever complete, it continues the
// installation in a new revision, so that the install hooks run: Helm would run the upgrade hooks
// instead. Otherwise it behaves like Install.
func (c *Client) Upgrade(ctx context.Context, spec plain.Spec) (*plain.Release, error) {
	return c.installOrUpgrade(ctx, spec, func(history []*release.Release) error {
		if len(history) == 0 || history[len(history)-1].Info.Status == release.StatusUninstalled {
			return outcome.Failed(v1alpha1.ReasonUpgradeFailed, fmt.Errorf(
				"upgrade release %q: not found in namespace %s", spec.Name, c.tenant.Namespace))
		}
		return nil
	})
}

// installOrUpgrade installs or upgrades a release to spec, unless admit rejects the existing revisions.
func (c *Client) installOrUpgrade(
	ctx context.Context, spec plain.Spec, admit func([]*release.Release) error,
) (*plain.Release, error) {
	if err := chartutil.ValidateReleaseName(spec.Name); err != nil {
		return nil, outcome.Stalled(v1alpha1.ReasonInstallFailed, fmt.Errorf("name release %q: %w", spec.Name, err))
	}
	o, err := c.newOperationFor(ctx, spec.Name)
	if err != nil {
		return nil, err
	}
	if spec.Unrecorded {
		o.records.AssumeNoRecords(spec.Name)
	}
	history, err := o.readHistory(spec.Name)
	if err != nil {
		return nil, o.classifyError(v1alpha1.ReasonInstallFailed, err)
	}
	reason := v1alpha1.ReasonInstallFailed
	if hasBeenDeployed(history) {
		reason = v1alpha1.ReasonUpgradeFailed
	}
	made, err := renderChart(ctx, spec, history)
	if err != nil {
		return nil, o.classifyError(reason, err)
	}
	request, err := requestDigest(made.files, spec.Values)
	if err != nil {
		return nil, err
	}
	if spec.Resumed && isAlreadyApplied(request, spec.Labels, history) {
		last := len(history) - 1
		return o.finishOperation(spec.Name, reason, o.cleanUp(incompleteRevisions(history[:last]), history[last]))
	}
	if err := admit(history); err != nil {
		return nil, err
	}
	err = o.applyChart(spec, made, request, history)
	if spec.Unrecorded && !o.records.HasCreated && errors.Is(err, driver.ErrReleaseExists) {
		return c.retryWithRecords(ctx, spec, admit)
	}
	return o.finishOperation(spec.Name, reason, err)
}

// retryWithRecords repeats apply after another client has created the release, which was expected to
// have no records. The first attempt has changed nothing except the stored digests, which include a
// record that was not written.
func (c *Client) retryWithRecords(ctx context.Context, spec plain.Spec, admit func([]*release.Release) error) (*plain.Release, error) {
	if c.known != nil {
		if err := c.known.StoreDigests(ctx, spec.Name, nil); err != nil {
			return nil, fmt.Errorf("remove digest of the record of release %q: %w", spec.Name, err)
		}
	}
	spec.Unrecorded = false
	return c.installOrUpgrade(ctx, spec, admit)
}

// isAlreadyApplied reports whether the newest revision completed the same operation, so that only its
// result was lost, and possibly its cleanup was interrupted.
func isAlreadyApplied(request string, labels map[string]string, history []*release.Release) bool {
	if len(history) == 0 {
		return false
	}
	last := history[len(history)-1]
	return last.Info.Status == release.StatusDeployed && isRunOfRequest(last.Labels[runKey], request) &&
		hasLabels(last.Labels, labels)
}

// finishOperation returns the release after an operation, or the classified error if err is not nil.
func (o *operation) finishOperation(name, reason string, err error) (*plain.Release, error) {
	if err != nil {
		return nil, o.classifyError(reason, o.markFailed(name, err))
	}
	history, err := o.readHistory(name)
	if err == nil && len(history) == 0 {
		err = fmt.Errorf("read release %q: the release was deleted during the operation", name)
	}
	if err != nil {
		return nil, o.classifyError(reason, err)
	}
	return o.toRelease(history)
}

// applyChart settles interrupted revisions, and then installs or upgrades the release.
func (o *operation) applyChart(spec plain.Spec, made *renderedChart, request string, history []*release.Release) error {
	err := o.client.clients.kinds.Refresh(o.ctx, capabilitiesAge)
	if err != nil {
		return err
	}
	if err := o.unlockPending(history); err != nil {
		return err
	}
	o.ignoreMissingKinds(history)
	if o.action.Capabilities, err = o.client.clients.cachedCapabilities(o.ctx); err != nil {
		return err
	}
	if err := o.storeIncomplete(incompleteRevisions(history)); err != nil {
		return err
	}
	labels := o.resumeRun(request, spec.Labels, history)
	o.store.MaxHistory = max(spec.MaxHistory, 0)
	o.records.Chart = made.original
	if hasBeenDeployed(history) {
		err = o.upgradeChart(spec, made.text, labels)
	} else {
		err = o.installChart(spec, made.text, labels, len(history) > 0)
	}
	if err != nil {
		return err
	}
	return o.completeRevision(incompleteRevisions(history))
}

// completeRevision completes an operation that has created a revision, and deletes the objects that older
// revisions have left behind.
func (o *operation) completeRevision(older []*release.Release) error {
	present := o.records.Current
	// Helm only logs an error when it cannot write the final status of a release.
	if err := o.records.WriteError; err != nil {
		return fmt.Errorf("record release %q: %w", present.Name, err)
	}
	failpoint.Point(failpoint.HelmRecordFinal, o.records.FailpointSubject())
	return o.cleanUp(older, present)
}

// cleanUp deletes the objects that older revisions have left behind, and unused chunks of records.
func (o *operation) cleanUp(older []*release.Release, present *release.Release) error {
	if err := o.pruneObjects(older, present); err != nil {
		return err
	}
	return o.records.DeleteUnusedChunks(o.ctx)
}

func (o *operation) installChart(spec plain.Spec, unit *chart.Chart, labels map[string]string, again bool) error {
	o.cluster.phase = phaseInstall
	install := action.NewInstall(o.action)
	install.ReleaseName, install.Namespace = spec.Name, o.client.tenant.Namespace
	install.Labels, install.Timeout = labels, cmp.Or(spec.Timeout, DefaultTimeout)
	install.PostRenderer = postRenderer{o.cluster}
	install.SkipSchemaValidation, install.DisableOpenAPIValidation = true, true
	// Replace creates a new revision after a failed one. It deletes nothing.
	install.Replace = again
	_, err := install.RunWithContext(context.Background(), unit, spec.Values)
	return err
}

func (o *operation) upgradeChart(spec plain.Spec, unit *chart.Chart, labels map[string]string) error {
	o.cluster.phase = phaseUpgrade
	upgrade := action.NewUpgrade(o.action)
	upgrade.Namespace, upgrade.MaxHistory = o.client.tenant.Namespace, max(spec.MaxHistory, 0)
	upgrade.Labels, upgrade.Timeout = labels, cmp.Or(spec.Timeout, DefaultTimeout)
	upgrade.PostRenderer = postRenderer{o.cluster}
	upgrade.SkipSchemaValidation, upgrade.DisableOpenAPIValidation = true, true
	upgrade.ResetValues = true
	_, err := upgrade.RunWithContext(context.Background(), spec.Name, unit, spec.Values)
	return err
}

// ignoreMissingKinds lets the operation ignore objects of recorded revisions whose kinds the cluster does not
// serve anymore: the objects were deleted with their kinds.
func (o *operation) ignoreMissingKinds(history []*release.Release) {
	o.cluster.present = map[string]bool{}
	for _, revision := range history {
		o.cluster.present[revision.Manifest] = true
	}
}

// postRenderer is the post-renderer that processes the manifest of a new revision before Helm reads it.
type postRenderer struct{ cluster *kubeClient }

// Run returns the manifest with volume claims marked to be kept. The kinds of a new manifest must
// exist, even if the manifest is identical to a recorded one.
func (r postRenderer) Run(manifest *bytes.Buffer) (*bytes.Buffer, error) {
	kept, err := claimPolicyRenderer{}.Run(manifest)
	if err == nil {
		delete(r.cluster.present, kept.String())
	}
	return kept, err
}

// hasLabels reports whether labels contain all wanted labels.
func hasLabels(labels, wanted map[string]string) bool {
	for key, value := range wanted {
		if labels[key] != value {
			return false
		}
	}
	return true
}

// storeIncomplete stores the objects of the revisions, so that an update removes the fields that they set.
func (o *operation) storeIncomplete(revisions []*release.Release) error {
	o.cluster.incomplete = map[cluster.Identity][]map[string]any{}
	for _, revision := range revisions {
		objects, err := o.DecodeManifest(revision)
		if err != nil {
			return err
		}
		for _, one := range objects {
			key := cluster.IdentityOf(one.Ref)
			o.cluster.incomplete[key] = append(o.cluster.incomplete[key], one.Object.Object)
		}
	}
	return nil
}
