package appinstalltask

import (
	"cmp"
	"context"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/installplan"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/preflight"
	"github.com/appmarket/operator/internal/release"
)

// recheckInterval is the interval at which a missing Secret or ConfigMap is read again that is not
// watched.
const recheckInterval = 15 * time.Second

// checkInputs lists every input that is missing or invalid, and renders the app if there is
// none.
func checkInputs(ctx context.Context, r *Reconciler, s *scope, p *taskFindings) error {
	plan, err := r.Planner.Resolve(ctx, planRequest(r, s))
	if err != nil {
		if outcome.Reason(err, "") == v1alpha1.ReasonReferenceNotFound {
			return p.AddOrReturn(outcome.Waiting(v1alpha1.ReasonWaitingForInput, watchMissingInputs(ctx, r, s), err))
		}
		return addReadError(ctx, r, s, p, err)
	}
	if s.task.IsDryRun() && s.action.isUpgrade {
		plan.ValuePaths = plan.ListValuePaths()
		s.valuePaths = plan.ValuePaths
	}
	if s.action.isInstall {
		// Keep the result for the instance controller, which soon needs the same one. It renders
		// an upgrade for other revisions.
		s.rendered, err = plan.RenderAhead(ctx)
	} else {
		s.rendered, err = plan.Render(ctx, nil)
	}
	if err != nil {
		return handleRenderError(ctx, r, s, p, err)
	}
	p.addInputProblems(s.task, installplan.Inputs, append(s.rendered.InputProblems, s.rendered.AssumedInputs...))
	return nil
}

// planRequest returns the installation that the task requests.
func planRequest(r *Reconciler, s *scope) installplan.Request {
	request := installplan.Request{
		App: s.app, Version: s.version, Tenant: s.tenant(), Instance: s.task.Instance(),
		Sources: s.resolveTaskInputs(), CredentialRef: s.credentialRef(),
		AssumesPasswords: s.task.IsDryRun(),
	}
	if s.task.Spec.Parameters().PurchaseRequestSecretRef != nil && !s.task.IsDryRun() {
		request.Purchase = func(ctx context.Context, tenant client.Client) (string, error) {
			return r.purchaseCredential(ctx, s, tenant, request.CredentialRef)
		}
	}
	return request
}

// tenant returns the namespace and the service account of the task.
func (s *scope) tenant() release.Tenant {
	return release.Tenant{Namespace: s.task.Namespace, ServiceAccount: s.serviceAccountName()}
}

// inputReadError makes the task wait if a Secret or ConfigMap is missing or cannot be read,
// because the tenant can correct this without changing the task.
func inputReadError(err error) error {
	switch outcome.Reason(err, "") {
	case v1alpha1.ReasonReferenceNotFound, v1alpha1.ReasonPermissionDenied:
		return outcome.Waiting(v1alpha1.ReasonWaitingForInput, recheckInterval, err)
	}
	return err
}

// addReadError adds the error of reading an input. If the service account may not read it, the finding is
// about all permissions that the app requires, as far as they are known without the input.
func addReadError(ctx context.Context, r *Reconciler, s *scope, p *taskFindings, err error) error {
	if !installplan.IsDeniedError(err) {
		return p.AddOrReturn(inputReadError(err))
	}
	operation := newOperation(r, s)
	var failure error
	if operation.Draft, failure = renderForPermissions(ctx, r, s); failure != nil {
		return failure
	}
	known := p.Len()
	if failure := admission.CheckPermissions(ctx, operation, &p.Findings); failure != nil {
		return failure
	}
	if p.Len() == known { // The permission was granted in the meantime.
		return p.AddOrReturn(inputReadError(err))
	}
	p.AddProblems(preflight.Problem{Reason: v1alpha1.ReasonPermissionDenied, Message: err.Error()})
	return nil
}

// renderForPermissions renders the app without the inputs that the service account may not read. It returns
// nil if the app cannot be rendered without them.
func renderForPermissions(ctx context.Context, r *Reconciler, s *scope) (*hydrate.Draft, error) {
	request := planRequest(r, s)
	request.ForPermissions, request.Purchase = true, nil
	plan, err := r.Planner.Resolve(ctx, request)
	if err != nil {
		return nil, withoutReason(err)
	}
	rendered, err := plan.Render(ctx, nil)
	if err != nil {
		return nil, withoutReason(err)
	}
	return rendered.Draft, nil
}

// withoutReason returns nil for an error about the app or its inputs, and any other error unchanged.
func withoutReason(err error) error {
	if outcome.Reason(err, "") != "" {
		return nil
	}
	return err
}

// resolveTaskInputs returns the values and the inputs of the instance. The fields that the task does not
// specify default to the fields of the upgraded or cloned instance.
func (s *scope) resolveTaskInputs() installplan.ValueSources {
	parameters := s.task.Spec.Parameters()
	given := installplan.ValueSources{
		Values: parameters.Values, ValuesFrom: parameters.ValuesFrom, Envs: parameters.Inputs, Path: s.task.Spec.ParametersPath(),
	}
	if from := s.valuesSource(); from != nil {
		have := from.Spec
		given.Instance, given.Inherited = s.instanceTitle(from), inheritedFields(&parameters, &have)
		if given.Values == nil {
			given.Values = have.Values
		}
		if given.ValuesFrom == nil {
			given.ValuesFrom = have.ValuesFrom
		}
		given.Envs = mergeEnvs(have.Inputs, given.Envs)
	}
	return given
}

// instanceTitle returns the name of an instance for messages, with its namespace if it differs.
func (s *scope) instanceTitle(instance *v1alpha1.AppInstance) string {
	if instance.Namespace == s.task.Namespace {
		return instance.Name
	}
	return instance.Namespace + "/" + instance.Name
}

// inheritedFields returns the fields and the inputs that the task does not specify and copies from an
// instance.
func inheritedFields(task *v1alpha1.AppParameters, instance *v1alpha1.AppInstanceSpec) []string {
	var fields []string
	for field, isInherited := range map[string]bool{
		"values":              task.Values == nil && instance.Values != nil,
		"valuesFrom":          task.ValuesFrom == nil && instance.ValuesFrom != nil,
		"credentialSecretRef": task.CredentialSecretRef == nil && instance.CredentialSecretRef != nil,
	} {
		if isInherited {
			fields = append(fields, field)
		}
	}
	for _, env := range instance.Inputs {
		if !slices.ContainsFunc(task.Inputs, func(own v1alpha1.InputValue) bool { return own.Name == env.Name }) {
			fields = append(fields, installplan.InputField(env.Name))
		}
	}
	return fields
}

// valuesSource returns the instance whose values and inputs are the defaults of the task: the
// upgraded instance, the removed instance that is installed again, or the cloned instance.
func (s *scope) valuesSource() *v1alpha1.AppInstance {
	if s.action.isUpgrade {
		return s.instance
	}
	if removed := s.reinstalledInstance(); removed != nil {
		return removed
	}
	return s.cloneSource
}

// serviceAccountName returns the service account that carries out the operation.
func (s *scope) serviceAccountName() string { return cmp.Or(s.specifiedServiceAccount(), "default") }

// specifiedServiceAccount returns the service account that the task names. It defaults to the account
// of the cloned instance, and to the account of the instance that the task changes. An
// installation does not use the account of an instance that was removed. The result is
// empty if no account is named.
func (s *scope) specifiedServiceAccount() string {
	account, from := s.task.Spec.ServiceAccountName, s.cloneSource
	if !s.action.isInstall {
		from = s.instance
	}
	if from != nil {
		account = cmp.Or(account, from.Spec.ServiceAccountName)
	}
	return account
}

// mergeEnvs merges two lists of inputs by name. The second list has precedence.
func mergeEnvs(have, more []v1alpha1.InputValue) []v1alpha1.InputValue {
	out := slices.Clone(have)
	for _, env := range more {
		at := slices.IndexFunc(out, func(e v1alpha1.InputValue) bool { return e.Name == env.Name })
		if at < 0 {
			out = append(out, env)
		} else {
			out[at] = env
		}
	}
	return out
}
