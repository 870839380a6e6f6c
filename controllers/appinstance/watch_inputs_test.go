package appinstance_test

import (
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/controllers/appinstance"
)

func TestInputsOfAnInstance(t *testing.T) {
	key := &v1alpha1.KeyReference{Name: "passwords", Key: "a"}
	for why, c := range map[string]struct {
		change func(*v1alpha1.AppInstance)
		want   []string
	}{
		"no inputs": {func(*v1alpha1.AppInstance) {}, nil},
		"values": {func(i *v1alpha1.AppInstance) {
			i.Spec.ValuesFrom = []v1alpha1.ValuesReference{{Kind: v1alpha1.ValuesFromConfigMap, Name: "values"}}
			i.Status.AdoptedValues = &v1alpha1.LocalObjectReference{Name: "adopted"}
		}, []string{"Secret adopted", "ConfigMap values"}},
		"inputs and a credential": {func(i *v1alpha1.AppInstance) {
			i.Spec.Inputs = []v1alpha1.InputValue{
				{Name: "A", ValueFrom: &v1alpha1.InputValueSource{SecretKeyRef: key}},
				{Name: "B", ValueFrom: &v1alpha1.InputValueSource{ConfigMapKeyRef: key}},
				{Name: "C", ValueFrom: &v1alpha1.InputValueSource{OutputRef: key}},
				{Name: "D"},
			}
			i.Spec.CredentialSecretRef = &v1alpha1.KeyReference{Name: "license"}
		}, []string{"Secret passwords", "ConfigMap passwords", "Secret license"}},
		"not resolved": {func(i *v1alpha1.AppInstance) {
			meta.SetStatusCondition(&i.Status.Conditions, metav1.Condition{Type: v1alpha1.ConditionResolved, Status: metav1.ConditionFalse})
		}, []string{"Secret appmarket-envs", "ConfigMap appmarket-envs"}},
		"removed": {func(i *v1alpha1.AppInstance) {
			i.Spec.DesiredState, i.Spec.CredentialSecretRef = v1alpha1.StateUninstalled, key
		}, nil},
		"pinned to a revision": {func(i *v1alpha1.AppInstance) { i.Spec.PinnedRevision, i.Spec.CredentialSecretRef = 1, key }, nil},
		"deleted": {func(i *v1alpha1.AppInstance) {
			now := metav1.Now()
			i.DeletionTimestamp, i.Spec.CredentialSecretRef = &now, key
		}, nil},
	} {
		t.Run(why, func(t *testing.T) {
			instance := &v1alpha1.AppInstance{}
			c.change(instance)
			var got []string
			for _, input := range appinstance.InputsOf(instance) {
				got = append(got, string(input.Kind)+" "+input.Name)
			}
			NewWithT(t).Expect(got).To(Equal(c.want))
		})
	}
}
