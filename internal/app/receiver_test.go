package app

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/testenv"
)

// TestRequestSync checks that a webhook requests what a user requests with the annotation, and keeps other
// annotations.
func TestRequestSync(t *testing.T) {
	g := NewWithT(t)
	env := testenv.Start(t)
	source := &v1alpha1.MarketSource{ObjectMeta: metav1.ObjectMeta{Namespace: env.Namespace(t, nil), Name: "main", Annotations: map[string]string{"team": "web"}}}
	source.Spec.Type, source.Spec.Helm = v1alpha1.SourceTypeHelm, &v1alpha1.HelmSource{URL: "https://charts.example"}
	env.Create(t, source)
	key := client.ObjectKeyFromObject(source)
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	g.Expect(requestSync(t.Context(), env.Client, key, now)).To(Succeed())
	g.Expect(env.Client.Get(t.Context(), key, source)).To(Succeed())
	g.Expect(source.Annotations).To(Equal(map[string]string{"team": "web", v1alpha1.ReconcileRequestAnnotation: "2026-11-30T12:00:00Z"}))
	g.Expect(source.Generation).To(Equal(int64(1)))
	g.Expect(requestSync(t.Context(), env.Client, types.NamespacedName{Namespace: key.Namespace, Name: "other"}, now)).To(MatchError(ContainSubstring("patch source")))
}
