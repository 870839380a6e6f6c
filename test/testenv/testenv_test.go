package testenv_test

import (
	"os"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/testenv"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

func TestStart(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	g.Expect(testenv.Start(t)).To(BeIdenticalTo(server), "the server is shared")
	g.Expect(server.Client.List(t.Context(), &v1alpha1.MarketSourceList{})).To(Succeed(), "the kinds of AppMarket are served")
}

func TestCountWrites(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	namespace := server.Namespace(t, map[string]string{"team": "red"})
	counted, writes := testenv.CountWrites(server.Client)
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "a"}}

	g.Expect(counted.Create(t.Context(), config)).To(Succeed())
	before := client.MergeFrom(config.DeepCopy())
	config.Data = map[string]string{"a": "1"}
	g.Expect(counted.Patch(t.Context(), config, before)).To(Succeed())
	g.Expect(counted.Get(t.Context(), client.ObjectKeyFromObject(config), config)).To(Succeed())

	space := &corev1.Namespace{}
	g.Expect(counted.Get(t.Context(), types.NamespacedName{Name: namespace}, space)).To(Succeed())
	g.Expect(space.Labels).To(HaveKeyWithValue("team", "red"))
	before = client.MergeFrom(space.DeepCopy())
	g.Expect(counted.Status().Patch(t.Context(), space, before)).To(Succeed())

	g.Expect(writes.Take()).To(Equal([]string{"create", "patch", "patch status"}))
	g.Expect(writes.Take()).To(BeEmpty())
}

func TestAllow(t *testing.T) {
	g := NewWithT(t)
	server := testenv.Start(t)
	namespace := server.Namespace(t, nil)
	server.Allow(t, namespace, "reader", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}})
	roles := &rbacv1.RoleBindingList{}
	g.Expect(server.Client.List(t.Context(), roles, client.InNamespace(namespace))).To(Succeed())
	g.Expect(roles.Items).To(HaveLen(1))
}
