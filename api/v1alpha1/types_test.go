package v1alpha1_test

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

func TestDurationOr(t *testing.T) {
	for _, c := range []struct {
		why  string
		text v1alpha1.Duration
		want time.Duration
	}{
		{"seconds", "90s", 90 * time.Second},
		{"several units", "1h30m", 90 * time.Minute},
		{"a fraction", "1.5m", 90 * time.Second},
		{"unset", "", time.Hour},
		{"what the schema would have refused", "soon", time.Hour},
	} {
		t.Run(c.why, func(t *testing.T) {
			NewWithT(t).Expect(c.text.Or(time.Hour)).To(Equal(c.want))
		})
	}
}

func TestObjectsShareOneStatus(t *testing.T) {
	for _, object := range []v1alpha1.Object{
		&v1alpha1.MarketSource{}, &v1alpha1.AppInfo{}, &v1alpha1.AppInstance{}, &v1alpha1.AppInstallTask{},
	} {
		g := NewWithT(t)
		conditions := []metav1.Condition{{Type: "Ready"}}
		object.SetConditions(conditions)
		object.SetObservedGeneration(7)
		copied, ok := object.DeepCopyObject().(v1alpha1.Object)
		g.Expect(ok).To(BeTrue())
		conditions[0].Type = "Changed"
		g.Expect(object.GetConditions()).To(Equal(conditions), "%T", object)
		g.Expect(copied.GetConditions()).To(HaveExactElements(HaveField("Type", "Ready")), "%T", object)
		g.Expect(copied.GetObservedGeneration()).To(Equal(int64(7)), "%T", object)
	}
}

func TestNames(t *testing.T) {
	g := NewWithT(t)
	task := &v1alpha1.AppInstallTask{}
	task.Spec.AppRef = v1alpha1.AppReference{Source: "market", Name: "web"}
	g.Expect(task.Spec.AppRef.AppInfoName()).To(Equal("market.web"))
	g.Expect(task.Instance()).To(Equal("web"), "an instance is named after its app")
	task.Spec.InstanceName = "blog"
	g.Expect(task.Instance()).To(Equal("blog"), "unless a name is given")
	g.Expect(task.Finished()).To(BeFalse())
	task.Status.CompletionTime = &metav1.Time{Time: time.Unix(1, 0)}
	g.Expect(task.Finished()).To(BeTrue())
}
