package appinfo

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/failpoint"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
)

// leaving is the timeout of the last status write of a process that is shutting down.
const leaving = 5 * time.Second

// attempts records in status which versions are being hydrated, before the process reads
// data from the source that could crash it. Otherwise the same data could crash it
// repeatedly. All due versions are recorded in one write. Versions whose hydration was
// interrupted before are recorded and hydrated one at a time across all apps and sources,
// because only one of them caused the crash.
type attempts struct {
	reconciler *Reconciler
	scope      *scope
	// cutOff contains the attempts that an earlier process did not complete, by version.
	cutOff map[string]v1alpha1.Attempt
}

// newAttempts removes the attempts of versions that are no longer due, or that are due with
// other inputs.
func (r *Reconciler) newAttempts(s *scope) *attempts {
	a := &attempts{reconciler: r, scope: s, cutOff: map[string]v1alpha1.Attempt{}}
	for _, j := range s.jobs {
		if left := attemptOf(s.app, j.request.Offer.Version); a.work(j).WasInterrupted(left) {
			a.cutOff[j.request.Offer.Version] = left
		}
	}
	s.app.Status.Attempts = slices.DeleteFunc(s.app.Status.Attempts, func(one v1alpha1.VersionAttempt) bool {
		_, known := a.cutOff[one.Version]
		return !known
	})
	return a
}

// work returns the identity of the hydration of a version.
func (a *attempts) work(j job) status.Work {
	return status.Work{
		Inputs: status.InputsDigest(j.inputs), Request: status.ReconcileRequest(a.scope.app), Process: a.reconciler.Process,
	}
}

// attemptOf returns the attempt of a version, or the zero value if there is none.
func attemptOf(app *v1alpha1.AppInfo, version string) v1alpha1.Attempt {
	for _, one := range app.Status.Attempts {
		if one.Version == version {
			return one.Attempt
		}
	}
	return v1alpha1.Attempt{}
}

// note adds attempts for the versions that were not interrupted before. It skips versions
// that have already failed in this process, so that a retry does not write status.
func (a *attempts) note() {
	for _, j := range a.scope.jobs {
		_, cutOff := a.cutOff[j.request.Offer.Version]
		if !cutOff && !a.reconciler.failures.has(a.scope.app.UID, j) {
			a.set(j, v1alpha1.Attempt{})
		}
	}
}

// set records another attempt of a version in status.
func (a *attempts) set(j job, last v1alpha1.Attempt) {
	version := j.request.Offer.Version
	a.remove(version)
	st := &a.scope.app.Status
	st.Attempts = append(st.Attempts, v1alpha1.VersionAttempt{
		Version: version, Attempt: a.work(j).Next(last),
	})
}

// remove deletes the attempt of a version from status.
func (a *attempts) remove(version string) {
	st := &a.scope.app.Status
	st.Attempts = slices.DeleteFunc(st.Attempts, func(one v1alpha1.VersionAttempt) bool { return one.Version == version })
}

// isExhausted reports whether the hydration of a version was interrupted too often to be
// retried.
func (a *attempts) isExhausted(version string) bool {
	return a.cutOff[version].Begun >= status.MaxInterruptions
}

// hydrate hydrates a version, and records a failure in memory.
func (a *attempts) hydrate(ctx context.Context, j job) (*hydrate.Draft, error) {
	version := j.request.Offer.Version
	if a.isExhausted(version) {
		return &hydrate.Draft{Request: j.request}, status.InterruptedError("hydration", v1alpha1.AppInfoKind, a.scope.app.Name)
	}
	last, cutOff := a.cutOff[version]
	if cutOff {
		key := client.ObjectKeyFromObject(a.scope.app)
		if !a.reconciler.Suspects.TryAcquire(key) {
			return &hydrate.Draft{Request: j.request}, outcome.Waiting(v1alpha1.ReasonWaitingForTurn, 0, errors.New(
				"the operator ended while it was hydrated: what was being worked on then is tried one by one"))
		}
		defer a.reconciler.Suspects.Release(key)
		a.set(j, last)
		if err := a.scope.keeper.Save(ctx); err != nil {
			return &hydrate.Draft{Request: j.request}, err
		}
	}
	failpoint.Point(failpoint.AppBegun, client.ObjectKeyFromObject(a.scope.app).String())
	draft, err := a.reconciler.hydrateVersion(ctx, a.scope, j)
	if ctx.Err() != nil {
		return draft, err // The process is shutting down; see leave.
	}
	a.reconciler.failures.note(a.scope.app.UID, j, err)
	if cutOff {
		a.remove(version)
		if saveErr := a.scope.keeper.Save(ctx); err == nil {
			err = saveErr
		}
	}
	return draft, err
}

// clear removes the attempts of this process from status. The end of the reconcile writes
// that. Attempts of earlier processes remain, because their versions are still waiting or
// can no longer be retried.
func (a *attempts) clear() {
	st := &a.scope.app.Status
	st.Attempts = slices.DeleteFunc(st.Attempts, func(one v1alpha1.VersionAttempt) bool { return one.Process == a.reconciler.Process })
}

// leave removes the attempts of this process when it shuts down normally, because the
// versions did not interrupt it. It restores the attempts of earlier processes.
func (a *attempts) leave(ctx context.Context) error {
	a.clear()
	for version, left := range a.cutOff {
		a.remove(version)
		a.scope.app.Status.Attempts = append(a.scope.app.Status.Attempts, v1alpha1.VersionAttempt{Version: version, Attempt: left})
	}
	err := ctx.Err()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaving)
	defer cancel()
	if saveErr := a.scope.keeper.Save(ctx); saveErr != nil {
		return saveErr
	}
	return err
}

// failures contains the inputs of the versions that this process failed to hydrate, by app
// and version.
type failures struct {
	mu   sync.Mutex
	apps map[types.UID]map[string]hydrate.Inputs
}

func (f *failures) has(app types.UID, j job) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	inputs, known := f.apps[app][j.request.Offer.Version]
	return known && inputs == j.inputs
}

// note records the result of a hydration.
func (f *failures) note(app types.UID, j job, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	version := j.request.Offer.Version
	if err == nil {
		delete(f.apps[app], version)
		if len(f.apps[app]) == 0 {
			delete(f.apps, app)
		}
		return
	}
	if f.apps == nil {
		f.apps = map[types.UID]map[string]hydrate.Inputs{}
	}
	if f.apps[app] == nil {
		f.apps[app] = map[string]hydrate.Inputs{}
	}
	f.apps[app][version] = j.inputs
}

// drop removes the failures of an app.
func (f *failures) drop(app types.UID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.apps, app)
}
