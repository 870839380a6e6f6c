package appinstalltask

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/installplan"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/status"
)

const (
	// maxPurchases is the maximum number of checkout requests for one task.
	maxPurchases = 100
)

// credentialRef returns the reference of the task. It defaults to the reference of the
// upgraded or cloned instance.
func (s *scope) credentialRef() *v1alpha1.KeyReference {
	if from := s.valuesSource(); s.task.Spec.Parameters().CredentialSecretRef == nil && from != nil {
		return from.Spec.CredentialSecretRef
	}
	return s.task.Spec.Parameters().CredentialSecretRef
}

// purchaseCredential requests the credential from the checkout and stores it, with the permissions of the
// tenant, in the Secret that the task names. The number of requests is stored in status, so
// that a restart does not reset it.
func (r *Reconciler) purchaseCredential(ctx context.Context, s *scope, tenant client.Client, ref *v1alpha1.KeyReference) (string, error) {
	if s.task.Status.PurchaseAttempts >= maxPurchases {
		return "", outcome.Stalled(v1alpha1.ReasonPurchaseFailed, fmt.Errorf(
			"exceeded limit of %d requests to the checkout without a purchase; purchase the app, and create another task", maxPurchases))
	}
	attempt := s.task.Status.PurchaseAttempts + 1
	credential, err := r.Planner.PurchaseCredential(ctx, tenant, s.tenant(), s.app, s.version.Purchase,
		s.task.Spec.Parameters().PurchaseRequestSecretRef, int(attempt))
	switch outcome.Reason(err, "") {
	case v1alpha1.ReasonReferenceNotFound, v1alpha1.ReasonPermissionDenied:
		// No request was sent.
		return "", fmt.Errorf("%s.purchaseRequestSecretRef: %w", s.task.Spec.ParametersPath(), err)
	}
	s.task.Status.PurchaseAttempts = attempt
	if err != nil {
		return "", err
	}
	return credential, storeCredential(ctx, tenant, s.task.Namespace, ref, credential)
}

// storeCredential stores a credential in its Secret. It keeps the other keys of an existing Secret.
func storeCredential(ctx context.Context, tenant client.Client, namespace string, ref *v1alpha1.KeyReference, credential string) error {
	secret := &corev1.Secret{}
	err := tenant.Get(ctx, types.NamespacedName{Namespace: namespace, Name: ref.Name}, secret)
	switch {
	case apierrors.IsNotFound(err):
		err = tenant.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: ref.Name},
			Data:       map[string][]byte{ref.Key: []byte(credential)},
		})
	case err == nil:
		before := client.MergeFrom(secret.DeepCopy())
		if secret.Data == nil {
			secret.Data = map[string][]byte{}
		}
		secret.Data[ref.Key] = []byte(credential)
		err = tenant.Patch(ctx, secret, before)
	}
	if apierrors.IsForbidden(err) {
		return outcome.Waiting(v1alpha1.ReasonWaitingForInput, recheckInterval, fmt.Errorf(
			"the credential was purchased, but the service account cannot write Secret %q in namespace %q; grant it permission to create and patch the Secret",
			ref.Name, namespace))
	}
	if err != nil {
		return fmt.Errorf("store credential in Secret %q: %w", ref.Name, err)
	}
	return nil
}

// handleRenderError reports an input or a credential that is missing or cannot be read, and a chart
// that cannot be rendered. If no credential is referenced, it lists the credential as a required
// input.
func handleRenderError(ctx context.Context, r *Reconciler, s *scope, p *taskFindings, err error) error {
	if outcome.Reason(err, "") != v1alpha1.ReasonLicenseNotFound || s.credentialRef() != nil {
		if installplan.IsDeniedError(err) {
			return addReadError(ctx, r, s, p, err)
		}
		if installplan.IsReadError(err) {
			err = inputReadError(err)
		}
		return p.AddOrReturn(status.ForCondition(v1alpha1.ConditionAdmitted, err))
	}
	terms := s.version.Purchase
	p.addInputProblems(s.task, installplan.Inputs, []inputs.Problem{{
		Input: inputs.Input{
			Name: s.task.Spec.ParametersPath() + ".credentialSecretRef", Type: "credential", Required: true, Title: terms.Product, Description: err.Error(),
		},
		Problem: "required",
	}})
	return nil
}
