package taskrecord_test

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskrecord"
)

// FuzzReadRecord reads any annotation that a tenant writes to an instance. Errors do not quote it.
func FuzzReadRecord(f *testing.F) {
	f.Add(`{"task":"install","uid":"1","hash":"x","requestedBy":"me","revertReason":"InstallFailed"}`)
	f.Add(`{"task":"","uid":null,"extra":[{}]}`)
	f.Fuzz(func(t *testing.T, value string) {
		g := NewWithT(t)
		record, err := taskrecord.ReadRecord(&metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.TaskAnnotation: value}})
		if err != nil {
			g.Expect(len(err.Error())).To(BeNumerically("<", 300))
			return
		}
		g.Expect(len(record.Task)).To(BeNumerically("<=", len(value)))
	})
}
