package helm

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
	"github.com/appmarket/operator/internal/outcome"
)

// Get returns the newest revision of a release, nil if there is none.
func (c *Client) Get(ctx context.Context, name string) (*Release, error) {
	o, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	history, err := o.history(name)
	if err != nil || len(history) == 0 {
		return nil, o.judge(v1alpha1.ReasonInstallFailed, err)
	}
	return c.toRelease(history)
}

// Install makes a release. One of the same name that was never complete is
// continued if it has the labels of spec; any other is in the way, and stays as
// it is. Hooks are waited for, readiness is not.
//
// When ctx ends, the operation ends with it, and what it has begun is settled.
func (c *Client) Install(ctx context.Context, spec Spec) (*Release, error) {
	return c.apply(ctx, spec, func(history []*release.Release) error {
		if len(history) == 0 || history[len(history)-1].Info.Status == release.StatusUninstalled {
			return nil
		}
		if everDeployed(history) || !carries(history[len(history)-1].Labels, spec.Labels) {
			return outcome.Failed(v1alpha1.ReasonInstallFailed, fmt.Errorf(
				"install release %q: namespace %s has a release of that name already", spec.Name, c.tenant.Namespace))
		}
		return nil
	})
}

// Upgrade brings a release to what spec says. Where no revision was ever
// complete, the installation is continued in a new revision, so that the hooks of
// an installation run; Helm would take it for an upgrade and leave them out.
// Otherwise as Install.
func (c *Client) Upgrade(ctx context.Context, spec Spec) (*Release, error) {
	return c.apply(ctx, spec, func(history []*release.Release) error {
		if len(history) == 0 || history[len(history)-1].Info.Status == release.StatusUninstalled {
			return outcome.Failed(v1alpha1.ReasonUpgradeFailed, fmt.Errorf(
				"upgrade release %q: namespace %s has no release of that name", spec.Name, c.tenant.Namespace))
		}
		return nil
	})
}

// apply carries out spec once admit agrees with the revisions there are.
func (c *Client) apply(
	ctx context.Context, spec Spec, admit func([]*release.Release) error,
) (*Release, error) {
	if err := chartutil.ValidateReleaseName(spec.Name); err != nil {
		return nil, outcome.Stalled(v1alpha1.ReasonInstallFailed, fmt.Errorf("name release %q: %w", spec.Name, err))
	}
	o, err := c.beginOn(ctx, spec.Name)
	if err != nil {
		return nil, err
	}
	if spec.Unrecorded {
		o.listed.setEmpty(spec.Name)
	}
	history, err := o.history(spec.Name)
	if err != nil {
		return nil, o.judge(v1alpha1.ReasonInstallFailed, err)
	}
	reason := v1alpha1.ReasonInstallFailed
	if everDeployed(history) {
		reason = v1alpha1.ReasonUpgradeFailed
	}
	made, err := render(ctx, spec, history)
	if err != nil {
		return nil, o.judge(reason, err)
	}
	wish, err := wishOf(made.files, spec.Values)
	if err != nil {
		return nil, err
	}
	if spec.Resumed && carriedOut(wish, spec.Labels, history) {
		last := len(history) - 1
		return o.end(spec.Name, reason, o.tidy(incomplete(history[:last]), history[last]))
	}
	if err := admit(history); err != nil {
		return nil, err
	}
	err = o.run(spec, made, wish, history)
	if spec.Unrecorded && !o.records.begun && errors.Is(err, driver.ErrReleaseExists) {
		return c.applyRecorded(ctx, spec, admit)
	}
	return o.end(spec.Name, reason, err)
}

// applyRecorded carries out a spec again whose release another client has made since it was
// found to have no records. Nothing was changed for it but the note of a record that was not
// written.
func (c *Client) applyRecorded(ctx context.Context, spec Spec, admit func([]*release.Release) error) (*Release, error) {
	if c.known != nil {
		if err := c.known.Record(ctx, spec.Name, nil); err != nil {
			return nil, fmt.Errorf("forget record of release %q: %w", spec.Name, err)
		}
	}
	spec.Unrecorded = false
	return c.apply(ctx, spec, admit)
}

// carriedOut reports whether the wish was fulfilled completely when it was cut
// off, so that nothing was lost but the answer, and the tidying up perhaps.
func carriedOut(wish string, labels map[string]string, history []*release.Release) bool {
	if len(history) == 0 {
		return false
	}
	last := history[len(history)-1]
	return last.Info.Status == release.StatusDeployed && isRunFor(last.Labels[runMark], wish) &&
		carries(last.Labels, labels)
}

// end gives what became of a release, or what it means that err came in between.
func (o *operation) end(name, reason string, err error) (*Release, error) {
	if err != nil {
		return nil, o.judge(reason, o.giveUp(name, err))
	}
	history, err := o.history(name)
	if err == nil && len(history) == 0 {
		err = fmt.Errorf("read release %q: it is gone", name)
	}
	if err != nil {
		return nil, o.judge(reason, err)
	}
	return o.client.toRelease(history)
}

// run settles what was cut off, and installs or upgrades.
func (o *operation) run(spec Spec, made *finished, wish string, history []*release.Release) error {
	err := o.client.clients.kinds.Refresh(o.ctx, capabilitiesAge)
	if err != nil {
		return err
	}
	if err := o.settle(history); err != nil {
		return err
	}
	o.forgive(history)
	if o.action.Capabilities, err = o.client.clients.known(o.ctx); err != nil {
		return err
	}
	if err := o.remember(incomplete(history)); err != nil {
		return err
	}
	labels := o.resumeRun(wish, spec.Labels, history)
	o.store.MaxHistory = max(spec.MaxHistory, 0)
	o.records.chart = made.original
	if everDeployed(history) {
		err = o.upgrade(spec, made.text, labels)
	} else {
		err = o.install(spec, made.text, labels, len(history) > 0)
	}
	if err != nil {
		return err
	}
	return o.conclude(incomplete(history))
}

// conclude ends an operation that made a revision, and deletes what older ones
// have left behind.
func (o *operation) conclude(older []*release.Release) error {
	present := o.records.current
	// Helm only logs it when the last word on a release could not be written.
	if err := o.records.failed; err != nil {
		return fmt.Errorf("record release %q: %w", present.Name, err)
	}
	failpoint.Point(failpoint.HelmRecordFinal, o.records.subject())
	return o.tidy(older, present)
}

// tidy deletes what revisions and writes of records have left behind.
func (o *operation) tidy(older []*release.Release, present *release.Release) error {
	if err := o.prune(older, present); err != nil {
		return err
	}
	return o.secrets.sweep(o.ctx)
}

func (o *operation) install(spec Spec, unit *chart.Chart, labels map[string]string, again bool) error {
	o.cluster.phase = phaseInstall
	install := action.NewInstall(o.action)
	install.ReleaseName, install.Namespace = spec.Name, o.client.tenant.Namespace
	install.Labels, install.Timeout = labels, cmp.Or(spec.Timeout, DefaultTimeout)
	install.PostRenderer = rendered{o.cluster}
	install.SkipSchemaValidation, install.DisableOpenAPIValidation = true, true
	// Replace makes a next revision over one that failed. It deletes nothing.
	install.Replace = again
	_, err := install.RunWithContext(context.Background(), unit, spec.Values)
	return err
}

func (o *operation) upgrade(spec Spec, unit *chart.Chart, labels map[string]string) error {
	o.cluster.phase = phaseUpgrade
	upgrade := action.NewUpgrade(o.action)
	upgrade.Namespace, upgrade.MaxHistory = o.client.tenant.Namespace, max(spec.MaxHistory, 0)
	upgrade.Labels, upgrade.Timeout = labels, cmp.Or(spec.Timeout, DefaultTimeout)
	upgrade.PostRenderer = rendered{o.cluster}
	upgrade.SkipSchemaValidation, upgrade.DisableOpenAPIValidation = true, true
	upgrade.ResetValues = true
	_, err := upgrade.RunWithContext(context.Background(), spec.Name, unit, spec.Values)
	return err
}

// forgive has the objects of recorded revisions left out whose kinds the cluster no
// longer has: they are gone with their kind.
func (o *operation) forgive(history []*release.Release) {
	o.cluster.present = map[string]bool{}
	for _, revision := range history {
		o.cluster.present[revision.Manifest] = true
	}
}

// rendered sees the manifest of a new revision before Helm reads it.
type rendered struct{ cluster *cluster }

// Run returns the manifest that keeps volume claims. Nothing is left out of it, even
// if it is that of a recorded revision.
func (r rendered) Run(manifest *bytes.Buffer) (*bytes.Buffer, error) {
	kept, err := keepClaims{}.Run(manifest)
	if err == nil {
		delete(r.cluster.present, kept.String())
	}
	return kept, err
}

// carries reports whether labels have all that are wanted.
func carries(labels, wanted map[string]string) bool {
	for key, value := range wanted {
		if labels[key] != value {
			return false
		}
	}
	return true
}
