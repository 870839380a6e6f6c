package story_test

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// lettersChart returns an app with three inputs, which it stores in a Secret.
func lettersChart() []byte {
	GinkgoHelper()
	return packChart("letters", "1.0.0", pageTemplate,
		appManifest("letters", `envs:
  - {envName: MAIL_HOST, type: string, required: true, editable: true}
  - {envName: MAIL_PASSWORD, type: password, required: true, editable: true}
  - {envName: LANGUAGE, type: string, required: true, editable: true}
`),
		chartFile{"templates/secret.yaml", `apiVersion: v1
kind: Secret
metadata:
  name: {{ .Release.Name }}-inputs
stringData:
  {{- range list "MAIL_HOST" "MAIL_PASSWORD" "LANGUAGE" }}
  {{ . }}: {{ get $.Values.olaresEnv . | quote }}
  {{- end }}
`})
}

// postChart returns an app with an entrance.
func postChart() []byte {
	GinkgoHelper()
	return packChart("post", "1.0.0",
		appManifest("post", "entrances:\n  - {name: mail, title: Mail, host: post, port: 8025}\n"),
		chartFile{"templates/service.yaml", `apiVersion: v1
kind: Service
metadata:
  name: post
spec:
  selector: {app: post}
  ports: [{port: 8025}]
`})
}

var _ = Describe("An app with inputs", Ordered, ContinueOnFailure, func() {
	var (
		secrets                       *secretSearch
		source                        *v1alpha1.MarketSource
		marketPassword, ownerPassword string
		t                             *tenant
	)

	BeforeAll(func(ctx SpecContext) {
		secrets = newSecretSearch()
		marketPassword, ownerPassword = secrets.newCanary("the password of the market"), secrets.newCanary("the password of the namespace")
		repo := fixture.NewRepository()
		mail, office := lettersChart(), postChart()
		repo.AddArchive("letters", "1.0.0", mail)
		repo.AddArchive("post", "1.0.0", office)
		ns := createNamespace(ctx, "market")
		Expect(k8sClient.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "mail"}, StringData: map[string]string{"password": marketPassword},
		})).To(Succeed())
		source = cluster.CreateSource(ctx, ns, "mail", repo.URL, fixture.ShareWithAll, fixture.AsOlares, func(s *v1alpha1.MarketSourceSpec) {
			s.Inputs = []v1alpha1.InputValue{
				newInput("MAIL_HOST", "mail.market.example"), newInput("SOMETHING_ELSE", "for another app"),
				{Name: "MAIL_PASSWORD", ValueFrom: &v1alpha1.InputValueSource{SecretKeyRef: &v1alpha1.KeyReference{Name: "mail", Key: "password"}}},
			}
		})
		waitTrue(ctx, source, v1alpha1.ConditionReady)
	})
	BeforeEach(func(ctx SpecContext) { t = newTenant(ctx, source) })
	AfterEach(func(ctx SpecContext) {
		expectStatusContract(ctx, t.Namespace)
		secrets.searchCluster(ctx)
		secrets.searchPage("http://"+defaultOperator.Metrics+"/metrics", false)
	})

	// installLetters creates a task with the given inputs.
	installLetters := func(ctx context.Context, envs ...v1alpha1.InputValue) *v1alpha1.AppInstallTask {
		GinkgoHelper()
		return t.Task(ctx, v1alpha1.ActionInstall, "letters", func(s *v1alpha1.AppInstallTaskSpec) { s.EnsureParameters().Inputs = envs })
	}
	// expectInputs compares the inputs that the app received, without printing the password.
	expectInputs := func(ctx context.Context, host, password, language string) {
		GinkgoHelper()
		data := t.secretData(ctx, "letters-inputs")
		Expect([]any{data["MAIL_HOST"], data["LANGUAGE"], data["MAIL_PASSWORD"] == password}).To(Equal([]any{host, language, true}))
		Expect(data).To(HaveLen(3))
	}
	hostFromOutput := func(name, key string) v1alpha1.InputValue {
		return v1alpha1.InputValue{Name: "MAIL_HOST", ValueFrom: &v1alpha1.InputValueSource{OutputRef: &v1alpha1.KeyReference{Name: name, Key: key}}}
	}

	It("requests the inputs that the source does not provide", func(ctx SpecContext) {
		task := installLetters(ctx)
		t.waitReconciling(ctx, task, v1alpha1.ReasonWaitingForInput)
		Expect(task.Status.RequiredInputs).To(ConsistOf(HaveField("Name", "LANGUAGE")))
		task.Spec.EnsureParameters().Inputs = []v1alpha1.InputValue{newInput("LANGUAGE", "en")}
		Expect(k8sClient.Update(ctx, task)).To(Succeed())
		t.waitSucceeded(ctx, task)
		expectInputs(ctx, "mail.market.example", marketPassword, "en")
	})

	It("uses the inputs of the namespace", func(ctx SpecContext) {
		Expect(k8sClient.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "appmarket-envs"},
			Data:       map[string]string{"MAIL_HOST": "mail.plain.example", "LANGUAGE": "de"},
		})).To(Succeed())
		Expect(k8sClient.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "appmarket-envs"},
			StringData: map[string]string{"MAIL_HOST": "mail.secret.example", "MAIL_PASSWORD": ownerPassword},
		})).To(Succeed())
		t.waitSucceeded(ctx, installLetters(ctx))
		expectInputs(ctx, "mail.secret.example", ownerPassword, "de")

		By("overriding them in the task")
		t.waitSucceeded(ctx, t.Task(ctx, v1alpha1.ActionUninstall, "letters"))
		appPassword := secrets.newCanary("the password of an app")
		t.waitSucceeded(ctx, installLetters(ctx, newInput("MAIL_HOST", "mail.app.example"), t.createInputSecret(ctx, "MAIL_PASSWORD", appPassword)))
		expectInputs(ctx, "mail.app.example", appPassword, "de")
	})

	It("uses an output of another app, and waits for that app", func(ctx SpecContext) {
		task := installLetters(ctx, newInput("LANGUAGE", "en"), hostFromOutput("post", "entrances.mail.host"))
		t.waitReconciling(ctx, task, v1alpha1.ReasonWaitingForDependency)
		Expect(t.objectState(ctx)).To(BeEmpty())
		t.waitSucceeded(ctx, t.Task(ctx, v1alpha1.ActionInstall, "post"))
		t.waitSucceeded(ctx, task)
		var output string
		for _, out := range t.Instance(ctx, "post").Status.Outputs {
			if out.Name == "entrances.mail.host" {
				output = out.Value
			}
		}
		Expect(output).To(HavePrefix("post"))
		expectInputs(ctx, output, marketPassword, "en")
	})

	DescribeTable("rejects a password that is not from a Secret", func(ctx SpecContext, password func() v1alpha1.InputValue) {
		Expect(k8sClient.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "plain"}, Data: map[string]string{"password": "in plain text"},
		})).To(Succeed())
		task := installLetters(ctx, newInput("LANGUAGE", "en"), password())
		t.waitReconciling(ctx, task, v1alpha1.ReasonWaitingForInput)
		Expect(task.Status.RequiredInputs).To(HaveLen(1))
		required := task.Status.RequiredInputs[0]
		Expect([]any{required.Name, required.Secret, required.Default}).To(Equal([]any{"MAIL_PASSWORD", true, ""}))
		Expect(required.Problem).To(Equal("must be set with valueFrom.secretKeyRef, because an object must not store a password"))
		Expect(t.objectState(ctx)).To(BeEmpty())

		By("setting a reference to a Secret")
		appPassword := secrets.newCanary("the password of an app")
		Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(task), task)).To(Succeed())
		task.Spec.EnsureParameters().Inputs[1] = t.createInputSecret(ctx, "MAIL_PASSWORD", appPassword)
		Expect(k8sClient.Update(ctx, task)).To(Succeed())
		t.waitSucceeded(ctx, task)
		expectInputs(ctx, "mail.market.example", appPassword, "en")
	},
		Entry("but a value of the task", func() v1alpha1.InputValue { return newInput("MAIL_PASSWORD", "in plain text") }),
		Entry("but from a ConfigMap", func() v1alpha1.InputValue {
			return v1alpha1.InputValue{Name: "MAIL_PASSWORD", ValueFrom: &v1alpha1.InputValueSource{
				ConfigMapKeyRef: &v1alpha1.KeyReference{Name: "plain", Key: "password"}}}
		}),
	)

	It("has no password in an object, page, file or log", func(ctx SpecContext) {
		t.waitSucceeded(ctx, installLetters(ctx, newInput("LANGUAGE", "en")))
		secrets.searchCluster(ctx)
		secrets.searchRepository(ctx, defaultOperator, source)
		defaultOperator.WaitIdle(ctx)
		secrets.searchFiles(defaultOperator)
		secrets.reportSearch()
	})
})
