package taskbuilder

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// NewRetry returns a task with the request of another task. It is neither suspended nor canceled,
// and its name has another suffix.
func NewRetry(task *v1alpha1.AppInstallTask, suffix string) *v1alpha1.AppInstallTask {
	again := &v1alpha1.AppInstallTask{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "AppInstallTask"},
		ObjectMeta: metav1.ObjectMeta{Namespace: task.Namespace, Name: TaskName(task.Spec.Action, task.Instance(), suffix)},
		Spec:       *task.Spec.DeepCopy(),
	}
	again.Spec.Suspend, again.Spec.Cancel = nil, nil
	return again
}
