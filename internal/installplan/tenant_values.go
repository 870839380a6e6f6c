package installplan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/appmarket/operator/internal/values"

	corev1 "k8s.io/api/core/v1"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
)

// ValueSources contains the values and inputs in the spec of an instance or a task.
type ValueSources struct {
	Values     *runtime.RawExtension
	ValuesFrom []v1alpha1.ValuesReference
	Envs       []v1alpha1.InputValue
	// Path is the path of the object with these fields, such as "spec.install". It defaults to
	// "spec".
	Path string
	// Inherited contains the fields that are copied from Instance, and the inputs in the form of
	// InputField. Messages name the instance.
	Inherited []string
	Instance  string
}

// References returns the Secrets and ConfigMaps to which the values and inputs refer.
func (s ValueSources) References() []v1alpha1.ValuesReference {
	references := slices.Clone(s.ValuesFrom)
	add := func(kind v1alpha1.ValuesKind, ref *v1alpha1.KeyReference) {
		if ref != nil {
			references = append(references, v1alpha1.ValuesReference{Kind: kind, Name: ref.Name, Key: ref.Key})
		}
	}
	for _, env := range s.Envs {
		if env.ValueFrom != nil {
			add(v1alpha1.ValuesFromSecret, env.ValueFrom.SecretKeyRef)
			add(v1alpha1.ValuesFromConfigMap, env.ValueFrom.ConfigMapKeyRef)
		}
	}
	return references
}

// InputField returns the field of an input in ValueSources.Inherited and in messages.
func InputField(name string) string { return fmt.Sprintf("inputs[%q]", name) }

// fieldPath returns the path of a field for messages.
func (s ValueSources) fieldPath(field string) string {
	if slices.Contains(s.Inherited, field) {
		return fmt.Sprintf("spec.%s of instance %q", field, s.Instance)
	}
	return cmp.Or(s.Path, "spec") + "." + field
}

// ValuesKey is the key of a Secret or ConfigMap that contains values.
const ValuesKey = "values.yaml"

// ValueSourcesFor returns the values and inputs of an instance. The values of an adopted release
// have the lowest precedence.
func ValueSourcesFor(instance *v1alpha1.AppInstance) ValueSources {
	given := ValueSources{Values: instance.Spec.Values, ValuesFrom: instance.Spec.ValuesFrom, Envs: instance.Spec.Inputs}
	if adopted := instance.Status.AdoptedValues; adopted != nil {
		first := v1alpha1.ValuesReference{Kind: v1alpha1.ValuesFromSecret, Name: adopted.Name, Key: ValuesKey}
		given.ValuesFrom = append([]v1alpha1.ValuesReference{first}, given.ValuesFrom...)
	}
	return given
}

// readSettings reads the values and inputs of a tenant: valuesFrom in order, values merged over
// them, and the inputs. The client has the permissions of the tenant, so that the operator does
// not give access to other objects.
func (p *Planner) readSettings(ctx context.Context, tenant client.Reader, request Request) (settings, error) {
	reader := valueReader{reader: tenant, tenant: request.Tenant, objects: p.Objects, skipsDenied: request.ForPermissions}
	merged, err := reader.readValues(ctx, request.Sources)
	if err != nil {
		return settings{}, err
	}
	given := settings{values: merged, inputs: map[string]string{}}
	for _, env := range request.Sources.Envs {
		text, err := reader.readInput(ctx, env)
		if reader.skipsDenied && IsDeniedError(err) {
			continue
		}
		if err != nil {
			return settings{}, fmt.Errorf("%s: %w", request.Sources.fieldPath(InputField(env.Name)), err)
		}
		given.inputs[env.Name] = text
		if !isSecretInput(env) {
			given.plain = append(given.plain, env.Name)
		}
	}
	return given, nil
}

// readValues returns the merged values of a tenant.
func (g valueReader) readValues(ctx context.Context, given ValueSources) (map[string]any, error) {
	merged := map[string]any{}
	for _, ref := range given.ValuesFrom {
		text, err := g.readKey(ctx, ref.Kind, ref.Name, ref.Key)
		if err != nil && isMissingError(err) && ref.Optional != nil && *ref.Optional || g.skipsDenied && IsDeniedError(err) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", given.fieldPath("valuesFrom"), err)
		}
		decoded, err := values.Decode([]byte(text))
		if err != nil {
			return nil, redactedParseError(given.fieldPath("valuesFrom"), ref, err)
		}
		merged = values.Overlay(merged, decoded)
	}
	own, err := values.DecodeField(given.Values)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", given.fieldPath("values"), err)
	}
	switch {
	case len(merged) > 0:
		merged = values.Overlay(merged, own)
	case own != nil:
		merged = own
	}
	return merged, checkEntries(given, merged)
}

// isSecretInput reports whether an input is read from a Secret.
func isSecretInput(env v1alpha1.InputValue) bool {
	return env.ValueFrom != nil && env.ValueFrom.SecretKeyRef != nil
}

// redactedParseError returns the error for values that cannot be parsed. The message of the parser
// is omitted for a Secret because it may quote the content.
func redactedParseError(field string, ref v1alpha1.ValuesReference, err error) error {
	if ref.Kind == v1alpha1.ValuesFromSecret {
		reason := outcome.Reason(err, v1alpha1.ReasonInvalidValues)
		return outcome.Stalled(reason, fmt.Errorf("%s (key %q of %s %q): must be values in YAML", field, ref.Key, ref.Kind, ref.Name))
	}
	return fmt.Errorf("%s (key %q of %s %q): %w", field, ref.Key, ref.Kind, ref.Name, err)
}

// valueReader reads the keys of Secrets and ConfigMaps in one namespace.
type valueReader struct {
	reader client.Reader
	// tenant is the namespace, and the service account of the reader. The service account is
	// empty if the operator reads.
	tenant release.Tenant
	// objects reads AppInstances.
	objects client.Reader
	// skipsDenied reports whether objects that the tenant may not read are skipped.
	skipsDenied bool
}

// deniedError is the error of reading an object that the tenant may not read.
type deniedError struct{ error }

func (e deniedError) Unwrap() error { return e.error }

// IsDeniedError reports whether an error of Resolve or Render is about a Secret or ConfigMap that the
// tenant may not read.
func IsDeniedError(err error) bool {
	_, ok := errors.AsType[deniedError](err)
	return ok
}

// sourceReader returns a reader for the namespace of a source, with the permissions of the
// operator.
func (p *Planner) sourceReader(app *catalog.App) valueReader {
	return valueReader{reader: p.Secrets, tenant: release.Tenant{Namespace: app.Source.Namespace}, objects: p.Objects}
}

func (g valueReader) readInput(ctx context.Context, env v1alpha1.InputValue) (string, error) {
	switch {
	case env.ValueFrom == nil && env.Value != nil:
		return *env.Value, nil
	case env.ValueFrom != nil && env.ValueFrom.SecretKeyRef != nil:
		return g.readKey(ctx, v1alpha1.ValuesFromSecret, env.ValueFrom.SecretKeyRef.Name, env.ValueFrom.SecretKeyRef.Key)
	case env.ValueFrom != nil && env.ValueFrom.ConfigMapKeyRef != nil:
		return g.readKey(ctx, v1alpha1.ValuesFromConfigMap, env.ValueFrom.ConfigMapKeyRef.Name, env.ValueFrom.ConfigMapKeyRef.Key)
	case env.ValueFrom != nil && env.ValueFrom.OutputRef != nil:
		return g.readOutput(ctx, env.ValueFrom.OutputRef.Name, env.ValueFrom.OutputRef.Key)
	}
	return "", nil
}

// readOutput reads an output of another instance in the namespace. If the output does not exist
// yet, the error is Waiting.
func (g valueReader) readOutput(ctx context.Context, name, key string) (string, error) {
	instance := &v1alpha1.AppInstance{}
	err := g.objects.Get(ctx, types.NamespacedName{Namespace: g.tenant.Namespace, Name: name}, instance)
	if client.IgnoreNotFound(err) != nil {
		return "", fmt.Errorf("get instance %q: %w", name, err)
	}
	var names []string
	for _, out := range instance.Status.Outputs {
		if out.Name == key {
			return out.Value, nil
		}
		names = append(names, out.Name)
	}
	if len(names) == 0 {
		return "", outcome.Waiting(v1alpha1.ReasonWaitingForDependency, retryInterval, fmt.Errorf("instance %q is not installed and has no outputs; install it", name))
	}
	return "", outcome.Waiting(v1alpha1.ReasonWaitingForDependency, retryInterval, fmt.Errorf(
		"instance %q has no output %q; use one of its outputs (%s)", name, key, nameList(names)))
}

// retryInterval is the interval at which missing objects are requested again.
const retryInterval = 15 * time.Second

// readKey reads one key of a Secret or a ConfigMap.
func (g valueReader) readKey(ctx context.Context, kind v1alpha1.ValuesKind, name, key string) (string, error) {
	at := types.NamespacedName{Namespace: g.tenant.Namespace, Name: name}
	var text string
	var found bool
	var err error
	if kind == v1alpha1.ValuesFromSecret {
		secret := &corev1.Secret{}
		if err = g.reader.Get(ctx, at, secret); err == nil {
			var data []byte
			data, found = secret.Data[key]
			text = string(data)
		}
	} else {
		config := &corev1.ConfigMap{}
		if err = g.reader.Get(ctx, at, config); err == nil {
			text, found = config.Data[key]
		}
	}
	switch {
	case apierrors.IsNotFound(err):
		return "", outcome.Failed(v1alpha1.ReasonReferenceNotFound, fmt.Errorf(
			"%s %q not found in namespace %q; create it with key %q", kind, name, g.tenant.Namespace, key))
	case apierrors.IsForbidden(err) && g.tenant.ServiceAccount == "":
		return "", outcome.Failed(v1alpha1.ReasonPermissionDenied, fmt.Errorf(
			"the operator cannot get %s %q in namespace %q; grant the operator the permission", kind, name, g.tenant.Namespace))
	case apierrors.IsForbidden(err):
		return "", deniedError{outcome.Failed(v1alpha1.ReasonPermissionDenied, fmt.Errorf(
			"service account %q cannot get %s %q in namespace %q; grant it the permission, or set another spec.serviceAccountName",
			g.tenant.ServiceAccount, kind, name, g.tenant.Namespace))}
	case err != nil:
		return "", fmt.Errorf("get %s %q in namespace %q: %w", kind, name, g.tenant.Namespace, err)
	case !found:
		return "", outcome.Failed(v1alpha1.ReasonReferenceNotFound, fmt.Errorf("%s %q in namespace %q has no key %q; add the key", kind, name, g.tenant.Namespace, key))
	}
	return text, nil
}

func isMissingError(err error) bool {
	return outcome.Reason(err, "") == v1alpha1.ReasonReferenceNotFound
}
