package appinstalltask_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/client-go/tools/events"

	"github.com/appmarket/operator/api/v1alpha1"
)

var _ = Describe("Installing a deprecated version", func() {
	It("is admitted with a warning", func() {
		b := newTaskFixture()
		recorder := events.NewFakeRecorder(100)
		b.reconciler.Recorder = recorder
		b.PublishVersion("1.0.0", filesWithoutInputs())
		b.EditApp(func(app *v1alpha1.AppInfo) { app.Status.Versions[0].Deprecated = true })
		b.createTask("install", v1alpha1.ActionInstall)
		b.expectStarted()
		const warning = `version 1.0.0 of app "web" is deprecated by its chart`
		Expect(b.conditionMessage(v1alpha1.ConditionAdmitted)).To(HavePrefix("all checks passed; warning: " + warning))
		Eventually(recorder.Events).Should(Receive(HavePrefix("Warning Deprecated " + warning)))
	})
})
