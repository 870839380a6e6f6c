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

// leaving is how long the last write of a process that ends may take.
const leaving = 5 * time.Second

// attempts notes in status which versions are being hydrated, before bytes of a source
// are read that could end the process, so that the same bytes do not end it again and
// again. All versions that are due are noted in one write. Those that were cut off
// before are noted and hydrated one by one, among all apps and sources of which that is
// so, since only one of them is to blame.
type attempts struct {
	reconciler *Reconciler
	scope      *scope
	// cutOff are the attempts that an earlier process left behind.
	cutOff map[string]v1alpha1.Attempt
}

// newAttempts forgets the attempts whose versions are not due any more, or are due with
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

// work is the hydration of a version.
func (a *attempts) work(j job) status.Work {
	return status.Work{
		Inputs: status.InputsDigest(j.inputs), Request: status.ReconcileRequest(a.scope.app), Process: a.reconciler.Process,
	}
}

// attemptOf returns the attempt of a version, zero if there is none.
func attemptOf(app *v1alpha1.AppInfo, version string) v1alpha1.Attempt {
	for _, one := range app.Status.Attempts {
		if one.Version == version {
			return one.Attempt
		}
	}
	return v1alpha1.Attempt{}
}

// note adds the versions that were not cut off before. What this process has brought to
// a failure already is not noted, so that a retry writes nothing.
func (a *attempts) note() {
	for _, j := range a.scope.jobs {
		_, cutOff := a.cutOff[j.request.Offer.Version]
		if !cutOff && !a.reconciler.failures.has(a.scope.app.UID, j) {
			a.set(j, v1alpha1.Attempt{})
		}
	}
}

// set counts an attempt of a version in status.
func (a *attempts) set(j job, last v1alpha1.Attempt) {
	version := j.request.Offer.Version
	a.remove(version)
	st := &a.scope.app.Status
	st.Attempts = append(st.Attempts, v1alpha1.VersionAttempt{
		Version: version, Attempt: a.work(j).Next(last),
	})
}

// remove takes the attempt of a version out of status.
func (a *attempts) remove(version string) {
	st := &a.scope.app.Status
	st.Attempts = slices.DeleteFunc(st.Attempts, func(one v1alpha1.VersionAttempt) bool { return one.Version == version })
}

// isExhausted reports whether a version was cut off as often as it may be.
func (a *attempts) isExhausted(version string) bool {
	return a.cutOff[version].Begun >= status.MaxInterruptions
}

// hydrate hydrates a version, and remembers a failure.
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
		return draft, err // The process ends; see leave.
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

// clear takes what this process noted out of status, since it has a result: the end of the
// reconcile writes that. What still waits for its turn, or has none any more, stays.
func (a *attempts) clear() {
	st := &a.scope.app.Status
	st.Attempts = slices.DeleteFunc(st.Attempts, func(one v1alpha1.VersionAttempt) bool { return one.Process == a.reconciler.Process })
}

// leave takes the attempts out of status where the process ends in good order, which is
// not their fault. What was cut off before stays.
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

// failures are the inputs with which this process could not hydrate a version, by app.
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

// note remembers how a hydration has ended.
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

// drop forgets an app.
func (f *failures) drop(app types.UID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.apps, app)
}
