package appinstance

import (
	"context"
	"fmt"

	"github.com/appmarket/operator/internal/values"

	corev1 "k8s.io/api/core/v1"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/installplan"
	"github.com/appmarket/operator/internal/outcome"
)

// shouldAdopt reports whether an existing Helm release must be adopted.
func shouldAdopt(instance *v1alpha1.AppInstance) bool {
	return instance.Spec.AdoptionPolicy == v1alpha1.AdoptionAdopt && instance.Status.Revision == 0
}

// adoptableVersion returns the chart version of the release to adopt.
func adoptableVersion(ctx context.Context, s *scope) (string, error) {
	name := s.instance.Name
	have, err := s.helm.Get(ctx, name)
	switch {
	case err != nil:
		return "", err
	case have == nil:
		return "", outcome.Stalled(v1alpha1.ReasonAdoptFailed, fmt.Errorf(
			"Helm release %q not found in namespace %q; remove spec.adoptionPolicy to install the app", name, s.instance.Namespace))
	case have.ChartName != s.instance.Spec.AppRef.Name:
		return "", outcome.Stalled(v1alpha1.ReasonAdoptFailed, fmt.Errorf(
			"Helm release %q has chart %q, but spec.appRef.name is %q; set spec.appRef to the app of that chart, or use another name for the instance", name, have.ChartName, s.instance.Spec.AppRef.Name))
	}
	return have.ChartVersion, nil
}

// prepareAdoption renders the app to find its releases, and returns the function that adopts
// them.
func prepareAdoption(ctx context.Context, r *Reconciler, s *scope, operation v1alpha1.Operation) (func(context.Context) error, error) {
	if err := admitAdoption(ctx, r, s, operation); err != nil {
		return nil, err
	}
	s.target.revisions = s.nextReleaseRevisions()
	draft, err := s.renderTarget(ctx)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		if err := adoptReleases(ctx, r, s, planReleases(s.instance, draft)); err != nil {
			return err
		}
		s.setDeclaredEntrances(draft)
		return setClaims(s.instance, draft)
	}, nil
}

// recordAdoptedValues records the digest of the values of the tenant, which now include the values
// of the adopted release.
func recordAdoptedValues(ctx context.Context, r *Reconciler, s *scope) error {
	plan, err := r.Planner.Resolve(ctx, s.planRequest(s.target.app, s.target.version))
	if err != nil {
		return err
	}
	digest, err := plan.ValuesDigest(s.instance.UID)
	s.instance.Status.ValuesDigest, s.instance.Status.CurrentOperation.ValuesDigest = digest, digest
	return err
}

// adoptReleases adopts the releases without changing them. It stores their values in a Secret. The
// values of the spec override these values.
func adoptReleases(ctx context.Context, r *Reconciler, s *scope, plans []plannedRelease) error {
	var made []v1alpha1.Release
	var objects []v1alpha1.ObjectReference
	decoded := map[string]any{}
	for _, p := range plans {
		rel, given, err := s.helm.Adopt(ctx, p.name, releaseLabels(s.instance))
		if err != nil {
			return err
		}
		made = append(made, toReleaseStatus(rel, p.unit.Dir))
		objects = append(objects, rel.Objects...)
		decoded = values.Overlay(decoded, given)
	}
	if err := storeAdoptedValues(ctx, r, s, decoded); err != nil {
		return err
	}
	s.instance.Status.Releases = copyRecords(s.instance, made)
	s.instance.Status.Inventory = newInventory(objects)
	return nil
}

// storeAdoptedValues writes the values of an adopted release to a Secret with the permissions of
// the tenant. The instance owns the Secret, because the values may contain passwords.
func storeAdoptedValues(ctx context.Context, r *Reconciler, s *scope, values map[string]any) error {
	if len(values) == 0 {
		return nil
	}
	text, err := yaml.Marshal(values)
	if err != nil {
		return fmt.Errorf("encode values: %w", err)
	}
	c, err := r.Tenants.ClientFor(s.tenant)
	if err != nil {
		return err
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.instance.Namespace, Name: s.instance.Name + "-adopted-values", Labels: releaseLabels(s.instance),
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1alpha1.GroupVersion.String(), Kind: "AppInstance", Name: s.instance.Name, UID: s.instance.UID,
			}},
		},
		Data: map[string][]byte{installplan.ValuesKey: text},
	}
	err = c.Create(ctx, secret)
	if apierrors.IsAlreadyExists(err) {
		err = updateOwnSecret(ctx, s, c, secret)
	}
	switch {
	case outcome.IsStalled(err):
		return err
	case apierrors.IsForbidden(err):
		return outcome.Stalled(v1alpha1.ReasonPermissionDenied, fmt.Errorf(
			"service account %q cannot create or update secrets in namespace %q; grant it the permission, or set another spec.serviceAccountName", s.tenant.ServiceAccount, s.tenant.Namespace))
	case err != nil:
		return fmt.Errorf("write Secret %q: %w", secret.Name, err)
	}
	s.instance.Status.AdoptedValues = &v1alpha1.LocalObjectReference{Name: secret.Name}
	return nil
}

// updateOwnSecret updates the Secret of an earlier attempt. It returns an error if the
// Secret does not belong to the instance.
func updateOwnSecret(ctx context.Context, s *scope, c client.Client, secret *corev1.Secret) error {
	have := &corev1.Secret{}
	if err := c.Get(ctx, client.ObjectKeyFromObject(secret), have); err != nil {
		return err
	}
	if have.Labels[v1alpha1.InstanceLabel] != s.instance.Name {
		return outcome.Stalled(v1alpha1.ReasonAdoptFailed, fmt.Errorf(
			"Secret %q already exists and does not belong to the instance, which stores the values of the release in a Secret with this name; delete or rename the Secret", secret.Name))
	}
	secret.ResourceVersion = have.ResourceVersion
	return c.Update(ctx, secret)
}
