package appinstalltask

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/status"
)

// admit checks everything at once. What may still come, an app, a dependency or an
// input, is waited for; what cannot come ends the task.
func (r *Reconciler) admit(ctx context.Context, s *scope) error {
	if s.task.Status.InstanceRef != nil {
		return nil
	}
	p := &preflight{}
	p.add(s.checkState())
	if s.task.Spec.Action != v1alpha1.ActionUninstall {
		if err := r.checkApp(ctx, s, p); err != nil {
			return err
		}
	}
	s.task.Status.Preflight = p.listed()
	if err := p.verdict(s.task); err != nil {
		return status.At(v1alpha1.ConditionAdmitted, err)
	}
	s.keeper.Reached(v1alpha1.ConditionAdmitted, v1alpha1.ReasonAdmitted, "every check passed")
	if s.version != nil {
		s.task.Status.Version = s.version.Version
	}
	return nil
}

// checkState refuses what the instance's state does not allow.
func (s *scope) checkState() error {
	name, action := s.task.Instance(), s.task.Spec.Action
	if s.instance != nil {
		if err := s.checkInstance(name); err != nil {
			return err
		}
	}
	present := s.instance != nil && s.instance.Spec.DesiredState != v1alpha1.StateAbsent
	switch install := action == v1alpha1.ActionInstall; {
	case install && len(name) > maxInstanceName:
		return outcome.Stalled(v1alpha1.ReasonTooLong, fmt.Errorf(
			"the name %s has more than %d characters; give a shorter one in spec.instanceName", name, maxInstanceName))
	case install && present && !s.written():
		return outcome.Stalled(v1alpha1.ReasonAlreadyInstalled, fmt.Errorf(
			"instance %s is there already; use action Upgrade, or another spec.instanceName", name))
	case !install && !present && (action != v1alpha1.ActionUninstall || !s.written()):
		return outcome.Stalled(v1alpha1.ReasonNotInstalled, fmt.Errorf("there is no instance %s that runs; see kubectl get appinstances", name))
	}
	return nil
}

// written reports whether it is this task that has written the instance. Where the
// task does not know of it, its note was lost, and what it asks for may even be done.
func (s *scope) written() bool {
	return s.instance != nil && s.instance.Annotations[v1alpha1.TaskAnnotation] == s.task.Name
}

// checkInstance refuses an instance that is going away, or is one of another app.
func (s *scope) checkInstance(name string) error {
	has, wants := s.instance.Spec.AppRef, s.task.Spec.App
	switch {
	case !s.instance.DeletionTimestamp.IsZero():
		return outcome.Waiting(v1alpha1.ReasonWaitingForTurn, 0, fmt.Errorf("instance %s is being deleted", name))
	case has.Source != wants.Source || has.Name != wants.Name:
		return outcome.Stalled(v1alpha1.ReasonInvalidSpec, fmt.Errorf(
			"instance %s is of app %s of source %s; give spec.instanceName", name, has.Name, has.Source))
	}
	return nil
}

// maxInstanceName bounds the name of an instance, after which releases are named.
const maxInstanceName = 40

// checkApp looks for the app, the version, what it depends on and its inputs.
func (r *Reconciler) checkApp(ctx context.Context, s *scope, p *preflight) error {
	app, err := r.Catalog.Find(ctx, s.task.Spec.App, s.task.Namespace)
	if !judged(err) {
		return err
	}
	if err != nil {
		p.add(err)
		return nil
	}
	s.app = app
	if app.Info.Spec.Withdrawn && s.task.Spec.Action == v1alpha1.ActionInstall {
		p.add(outcome.Stalled(v1alpha1.ReasonWithdrawn, fmt.Errorf("app %s is no longer offered to new users", app.Info.Spec.App)))
	}
	if s.version, err = app.Version(s.task.Spec.Version); err != nil {
		if !judged(err) {
			return err
		}
		p.add(err)
		return nil
	}
	p.add(s.checkNewer())
	if err := r.checkDependencies(ctx, s, p); err != nil {
		return err
	}
	return r.checkInputs(ctx, s, p)
}

// judged reports whether an error says what is wrong, rather than that looking
// failed.
func judged(err error) bool {
	_, waiting := outcome.IsWaiting(err)
	return err == nil || waiting || outcome.IsStalled(err)
}

func (s *scope) checkNewer() error {
	if s.task.Spec.Action != v1alpha1.ActionUpgrade || s.instance == nil {
		return nil
	}
	have := s.instance.Status.Version
	again := s.written() && s.instance.Spec.Version == s.version.Version
	if have == "" || again || catalog.Newer(s.version.Version, have) {
		return nil
	}
	return outcome.Stalled(v1alpha1.ReasonNotNewer, fmt.Errorf("version %s is not newer than the installed %s", s.version.Version, have))
}

// lookAgain is when a Secret or ConfigMap that was missing is looked for again: the
// operator may not watch those of tenants.
const lookAgain = 15 * time.Second

// checkInputs lists every input that is missing or does not fit.
func (r *Reconciler) checkInputs(ctx context.Context, s *scope, p *preflight) error {
	given, account := s.given()
	tenant := release.Tenant{Namespace: s.task.Namespace, ServiceAccount: account}
	reader, err := r.Tenants.ReaderFor(tenant)
	if err != nil {
		return fmt.Errorf("read as service account %s: %w", account, err)
	}
	wish, err := catalog.Gather(ctx, reader, tenant, given)
	switch reason := outcome.Reason(err, ""); {
	case reason == v1alpha1.ReasonSecretMissing || reason == v1alpha1.ReasonPermissionDenied:
		p.add(outcome.Waiting(v1alpha1.ReasonWaitingForInput, lookAgain, err))
		return nil
	case judged(err) && err != nil:
		p.add(err)
		return nil
	case err != nil:
		return err
	}
	wrong, err := r.Catalog.Inputs(ctx, s.app, s.version, wish)
	if err != nil {
		return status.At(v1alpha1.ConditionAdmitted, err)
	}
	s.task.Status.RequiredInputs = required(wrong)
	if len(wrong) == 0 {
		return nil
	}
	var names []string
	for _, w := range wrong {
		names = append(names, w.Input.Name)
	}
	missing := fmt.Errorf("give these inputs in spec.envs: %s; see status.requiredInputs", strings.Join(names, ", "))
	if s.task.Spec.OnMissingInput == v1alpha1.MissingInputFail {
		p.add(outcome.Stalled(v1alpha1.ReasonInputMissing, missing))
		return nil
	}
	p.add(outcome.Waiting(v1alpha1.ReasonWaitingForInput, 0, missing))
	return nil
}

// given is what the instance will be given, and by whom it will be installed: what
// the task leaves out of an upgrade stays as it is.
func (s *scope) given() (catalog.Given, string) {
	given := catalog.Given{Values: s.task.Spec.Values, ValuesFrom: s.task.Spec.ValuesFrom, Envs: s.task.Spec.Envs}
	account := s.task.Spec.ServiceAccountName
	if s.task.Spec.Action == v1alpha1.ActionUpgrade && s.instance != nil {
		have := s.instance.Spec
		if given.Values == nil {
			given.Values = have.Values
		}
		if given.ValuesFrom == nil {
			given.ValuesFrom = have.ValuesFrom
		}
		given.Envs = addEnvs(have.Envs, given.Envs)
		account = cmp.Or(account, have.ServiceAccountName)
	}
	return given, cmp.Or(account, "default")
}

// addEnvs puts inputs over others of the same name.
func addEnvs(have, more []v1alpha1.EnvVar) []v1alpha1.EnvVar {
	out := slices.Clone(have)
	for _, env := range more {
		at := slices.IndexFunc(out, func(e v1alpha1.EnvVar) bool { return e.Name == env.Name })
		if at < 0 {
			out = append(out, env)
		} else {
			out[at] = env
		}
	}
	return out
}

func required(wrong []hydrate.InputProblem) []v1alpha1.Input {
	var out []v1alpha1.Input
	for _, w := range catalog.First(wrong, 100) {
		in := catalog.Input(w.Input)
		in.Problem = catalog.Bounded(w.Problem, 1024)
		out = append(out, in)
	}
	return out
}

// preflight collects what stands in the way.
type preflight struct {
	problems []error
}

func (p *preflight) add(err error) {
	if err != nil {
		p.problems = append(p.problems, err)
	}
}

// listed are the problems as status shows them.
func (p *preflight) listed() []v1alpha1.Problem {
	var out []v1alpha1.Problem
	for _, err := range catalog.First(p.problems, 50) {
		out = append(out, v1alpha1.Problem{
			Reason: outcome.Reason(err, v1alpha1.ReasonInvalidSpec), Message: catalog.Bounded(err.Error(), 1024),
		})
	}
	return out
}

// verdict sums the problems up: one that is final ends the task, and otherwise the
// first is waited for. The message names all of them.
func (p *preflight) verdict(task *v1alpha1.AppInstallTask) error {
	if len(p.problems) == 0 {
		return nil
	}
	var said []string
	for _, err := range p.problems {
		said = append(said, err.Error())
	}
	all := errors.New(strings.Join(said, "; "))
	for _, err := range p.problems {
		if outcome.IsStalled(err) {
			return outcome.Stalled(outcome.Reason(err, v1alpha1.ReasonInvalidSpec), all)
		}
	}
	next, err := remaining(task)
	if err != nil {
		return err
	}
	for _, err := range p.problems {
		if after, _ := outcome.IsWaiting(err); after > 0 && (next == 0 || after < next) {
			next = after
		}
	}
	return outcome.Waiting(outcome.Reason(p.problems[0], v1alpha1.ReasonProgressing), next, all)
}
