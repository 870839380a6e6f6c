package taskbuilder_test

import (
	"encoding/json"
	"os"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
)

// headlampTasks contains the tasks that the plugin for Headlamp creates: its own tests compare them too.
const headlampTasks = "../../headlamp/src/tasks.json"

func TestHeadlampPluginCreatesTheSameTasks(t *testing.T) {
	g := NewWithT(t)
	text, err := os.ReadFile(headlampTasks)
	g.Expect(err).NotTo(HaveOccurred())
	var cases []struct {
		Instance v1alpha1.AppInstance
		Tasks    map[v1alpha1.Action]json.RawMessage
	}
	g.Expect(json.Unmarshal(text, &cases)).To(Succeed())
	g.Expect(cases).NotTo(BeEmpty())
	for _, c := range cases {
		for action, task := range c.Tasks {
			request := taskbuilder.Request{
				Action: action, Namespace: c.Instance.Namespace, App: c.Instance.Spec.AppRef, Instance: c.Instance.Name, Suffix: "x7k2p",
			}
			if action == v1alpha1.ActionUpgrade {
				request.Version = c.Instance.Status.AvailableUpdate
			}
			want, err := taskbuilder.NewTask(request)
			g.Expect(err).NotTo(HaveOccurred())
			var got v1alpha1.AppInstallTask
			g.Expect(json.Unmarshal(task, &got)).To(Succeed())
			g.Expect(&got).To(Equal(want), "%s", action)
		}
	}
}
