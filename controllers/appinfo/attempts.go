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

// shutdownTimeout is the timeout of the last status write of a process that is shutting down.
const shutdownTimeout = 5 * time.Second

// attemptRecorder records in status which versions are being hydrated, before the process reads
// data from the source that could crash it. Otherwise the same data could crash it
// repeatedly. All due versions are recorded in one write. Versions whose hydration was
// interrupted before are recorded and hydrated one at a time across all apps and sources,
// because only one of them caused the crash.
type attemptRecorder struct {
	reconciler *Reconciler
	scope      *scope
	// interrupted contains the attempts that an earlier process did not complete, by version.
	interrupted map[string]v1alpha1.Attempt
}

// newAttempts removes the attempts of versions that are no longer due, or that are due with
// other inputs.
func newAttempts(r *Reconciler, s *scope) *attemptRecorder {
	a := &attemptRecorder{reconciler: r, scope: s, interrupted: map[string]v1alpha1.Attempt{}}
	for _, j := range s.jobs {
		if left := attemptOf(s.app, j.request.Offer.Version); a.workFor(j).WasInterrupted(left) {
			a.interrupted[j.request.Offer.Version] = left
		}
	}
	s.app.Status.Attempts = slices.DeleteFunc(s.app.Status.Attempts, func(one v1alpha1.VersionAttempt) bool {
		_, known := a.interrupted[one.Version]
		return !known
	})
	return a
}

// workFor returns the identity of the hydration of a version.
func (a *attemptRecorder) workFor(j hydrationJob) status.Work {
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

// addNewAttempts adds attempts for the versions that were not interrupted before. It skips versions
// that have already failed in this process, so that a retry does not write status.
func (a *attemptRecorder) addNewAttempts() {
	for _, j := range a.scope.jobs {
		_, wasInterrupted := a.interrupted[j.request.Offer.Version]
		if !wasInterrupted && !a.reconciler.failures.hasFailure(a.scope.app.UID, j) {
			a.setAttempt(j, v1alpha1.Attempt{})
		}
	}
}

// setAttempt records another attempt of a version in status.
func (a *attemptRecorder) setAttempt(j hydrationJob, last v1alpha1.Attempt) {
	version := j.request.Offer.Version
	a.removeAttempt(version)
	st := &a.scope.app.Status
	st.Attempts = append(st.Attempts, v1alpha1.VersionAttempt{
		Version: version, Attempt: a.workFor(j).Next(last),
	})
}

// removeAttempt deletes the attempt of a version from status.
func (a *attemptRecorder) removeAttempt(version string) {
	st := &a.scope.app.Status
	st.Attempts = slices.DeleteFunc(st.Attempts, func(one v1alpha1.VersionAttempt) bool { return one.Version == version })
}

// isExhausted reports whether the hydration of a version was interrupted too often to be
// retried.
func (a *attemptRecorder) isExhausted(version string) bool {
	return a.interrupted[version].Starts >= status.MaxInterruptions
}

// hydrateAttempt hydrates a version, and records a failure in memory.
func (a *attemptRecorder) hydrateAttempt(ctx context.Context, j hydrationJob) (*hydrate.Draft, error) {
	version := j.request.Offer.Version
	if a.isExhausted(version) {
		return &hydrate.Draft{Request: j.request}, status.InterruptedError("hydration", v1alpha1.AppInfoKind, a.scope.app.Name)
	}
	last, cutOff := a.interrupted[version]
	if cutOff {
		key := client.ObjectKeyFromObject(a.scope.app)
		if !a.reconciler.Suspects.TryAcquire(key) {
			return &hydrate.Draft{Request: j.request}, outcome.Waiting(v1alpha1.ReasonWaitingForTurn, 0, errors.New(
				"the operator terminated while it hydrated the app; interrupted work is retried one object at a time"))
		}
		defer a.reconciler.Suspects.Release(key)
		a.setAttempt(j, last)
		if err := a.scope.statusWriter.Save(ctx); err != nil {
			return &hydrate.Draft{Request: j.request}, err
		}
	}
	failpoint.Point(failpoint.AppBegun, client.ObjectKeyFromObject(a.scope.app).String())
	draft, err := a.reconciler.hydrateVersion(ctx, a.scope, j)
	if ctx.Err() != nil {
		return draft, err // The process is shutting down; see restoreOnShutdown.
	}
	a.reconciler.failures.recordResult(a.scope.app.UID, j, err)
	if cutOff {
		a.removeAttempt(version)
		if saveErr := a.scope.statusWriter.Save(ctx); err == nil {
			err = saveErr
		}
	}
	return draft, err
}

// clearOwnAttempts removes the attempts of this process from status, which is written at the end of
// the reconcile. Attempts of earlier processes remain, because their versions are still waiting
// or can no longer be retried.
func (a *attemptRecorder) clearOwnAttempts() {
	st := &a.scope.app.Status
	st.Attempts = slices.DeleteFunc(st.Attempts, func(one v1alpha1.VersionAttempt) bool { return one.Process == a.reconciler.Process })
}

// restoreOnShutdown removes the attempts of this process when it shuts down normally, because the
// versions did not interrupt it. It restores the attempts of earlier processes.
func (a *attemptRecorder) restoreOnShutdown(ctx context.Context) error {
	a.clearOwnAttempts()
	for version, left := range a.interrupted {
		a.removeAttempt(version)
		a.scope.app.Status.Attempts = append(a.scope.app.Status.Attempts, v1alpha1.VersionAttempt{Version: version, Attempt: left})
	}
	err := ctx.Err()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if saveErr := a.scope.statusWriter.Save(ctx); saveErr != nil {
		return saveErr
	}
	return err
}

// failureCache contains the inputs of the versions that this process failed to hydrate, by app
// and version.
type failureCache struct {
	mu   sync.Mutex
	apps map[types.UID]map[string]hydrate.Inputs
}

func (f *failureCache) hasFailure(app types.UID, j hydrationJob) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	inputs, known := f.apps[app][j.request.Offer.Version]
	return known && inputs == j.inputs
}

// recordResult records the result of a hydration.
func (f *failureCache) recordResult(app types.UID, j hydrationJob, err error) {
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

// deleteFailures removes the failures of an app.
func (f *failureCache) deleteFailures(app types.UID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.apps, app)
}
