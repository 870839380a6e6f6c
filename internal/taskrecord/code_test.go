package taskrecord_test

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskrecord"
)

func TestCodeIsValidForOneSpec(t *testing.T) {
	written := &v1alpha1.AppInstance{
		ObjectMeta: metav1.ObjectMeta{Namespace: "tenant", Name: "web"},
		Spec:       v1alpha1.AppInstanceSpec{Version: "1.0.0", Values: &runtime.RawExtension{Raw: []byte(`{"b": 1, "a": {"d": 2, "c": 12345678901234567890}}`)}},
	}
	NewWithT(t).Expect(taskrecord.WriteRecord(written, taskrecord.Record{Task: "install", UID: "1"})).To(Succeed())
	NewWithT(t).Expect(taskrecord.SetCode(written)).To(Succeed())
	for _, c := range []struct {
		why    string
		change func(i *v1alpha1.AppInstance, r *taskrecord.Record)
		valid  bool
	}{
		{why: "nothing differs", change: func(*v1alpha1.AppInstance, *taskrecord.Record) {}, valid: true},
		{why: "the API server sorts keys", valid: true, change: func(i *v1alpha1.AppInstance, _ *taskrecord.Record) {
			i.Spec.Values.Raw = []byte(`{"a":{"c":12345678901234567890,"d":2},"b":1}`)
		}},
		{why: "the API server sets defaults", valid: true, change: func(i *v1alpha1.AppInstance, _ *taskrecord.Record) {
			i.Spec.DesiredState, i.Spec.DriftPolicy = v1alpha1.StateRunning, v1alpha1.DriftIgnore
		}},
		{why: "a task records that it reverted the instance", valid: true, change: func(_ *v1alpha1.AppInstance, r *taskrecord.Record) { r.RevertReason = "Canceled" }},
		{why: "another version", change: func(i *v1alpha1.AppInstance, _ *taskrecord.Record) { i.Spec.Version = "2.0.0" }},
		{why: "another value", change: func(i *v1alpha1.AppInstance, _ *taskrecord.Record) {
			i.Spec.Values.Raw = []byte(`{"a":{"c":12345678901234567891,"d":2},"b":1}`)
		}},
		{why: "another instance", change: func(i *v1alpha1.AppInstance, _ *taskrecord.Record) { i.Name = "other" }},
		{why: "another namespace", change: func(i *v1alpha1.AppInstance, _ *taskrecord.Record) { i.Namespace = "other" }},
		{why: "another task", change: func(_ *v1alpha1.AppInstance, r *taskrecord.Record) { r.UID = "2" }},
		{why: "no UID", change: func(_ *v1alpha1.AppInstance, r *taskrecord.Record) { r.UID = "" }},
		{why: "no code", change: func(_ *v1alpha1.AppInstance, r *taskrecord.Record) { r.Code = "" }},
		{why: "an invalid code", change: func(_ *v1alpha1.AppInstance, r *taskrecord.Record) { r.Code = "code" }},
		{why: "another code", change: func(_ *v1alpha1.AppInstance, r *taskrecord.Record) { r.Code = "00" + r.Code[2:] + "00" }},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			instance := written.DeepCopy()
			record, err := taskrecord.ReadRecord(instance)
			g.Expect(err).NotTo(HaveOccurred())
			c.change(instance, &record)
			g.Expect(taskrecord.HasValidCode(instance, record)).To(Equal(c.valid))
		})
	}
}
