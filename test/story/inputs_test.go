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

// letters returns an app with three inputs, which it stores in a Secret.
func letters() []byte {
	GinkgoHelper()
	return packed("letters", "1.0.0", page,
		appManifest("letters", `envs:
  - {envName: MAIL_HOST, type: string, required: true, editable: true}
  - {envName: MAIL_PASSWORD, type: password, required: true, editable: true}
  - {envName: LANGUAGE, type: string, required: true, editable: true}
`),
		file{"templates/secret.yaml", `apiVersion: v1
kind: Secret
metadata:
  name: {{ .Release.Name }}-told
stringData:
  {{- range list "MAIL_HOST" "MAIL_PASSWORD" "LANGUAGE" }}
  {{ . }}: {{ get $.Values.olaresEnv . | quote }}
  {{- end }}
`})
}

// post returns an app with an entrance.
func post() []byte {
	GinkgoHelper()
	return packed("post", "1.0.0",
		appManifest("post", "entrances:\n  - {name: mail, title: Mail, host: post, port: 8025}\n"),
		file{"templates/service.yaml", `apiVersion: v1
kind: Service
metadata:
  name: post
spec:
  selector: {app: post}
  ports: [{port: 8025}]
`})
}

var _ = Describe("A tenant whose app asks for inputs", Ordered, ContinueOnFailure, func() {
	var (
		secrets           *vault
		source            *v1alpha1.MarketSource
		ofMarket, ofOwner string
		t                 *tenant
	)

	BeforeAll(func(ctx SpecContext) {
		secrets = newVault()
		ofMarket, ofOwner = secrets.canary("the password of the market"), secrets.canary("the password of the namespace")
		repo := fixture.NewRepository()
		mail, office := letters(), post()
		repo.Handle("/letters.tgz", fixture.Content(mail))
		repo.Handle("/post.tgz", fixture.Content(office))
		repo.Handle("/index.yaml", fixture.Content(fixture.IndexOf(fixture.NewOffer("letters", "1.0.0", "letters.tgz", mail), fixture.NewOffer("post", "1.0.0", "post.tgz", office))))
		ns := namespace(ctx, "market")
		Expect(cluster.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "mail"}, StringData: map[string]string{"password": ofMarket},
		})).To(Succeed())
		source = sourceOf(ctx, ns, "mail", repo.URL, sharedByAll, asOlares, func(s *v1alpha1.MarketSourceSpec) {
			s.Inputs = []v1alpha1.InputValue{
				env("MAIL_HOST", "mail.market.example"), env("SOMETHING_ELSE", "for another app"),
				{Name: "MAIL_PASSWORD", ValueFrom: &v1alpha1.InputValueSource{SecretKeyRef: &v1alpha1.KeyReference{Name: "mail", Key: "password"}}},
			}
		})
		eventuallyTrue(ctx, source, v1alpha1.ConditionReady)
	})
	BeforeEach(func(ctx SpecContext) { t = newTenant(ctx, source) })
	AfterEach(func(ctx SpecContext) {
		keepTheContract(ctx, t.Namespace)
		secrets.searchCluster(ctx)
		secrets.searchPage("http://"+market.Metrics+"/metrics", false)
	})

	// given creates the task with the given inputs.
	given := func(ctx context.Context, envs ...v1alpha1.InputValue) *v1alpha1.AppInstallTask {
		GinkgoHelper()
		return t.Task(ctx, v1alpha1.ActionInstall, "letters", func(s *v1alpha1.AppInstallTaskSpec) { s.EnsureParameters().Inputs = envs })
	}
	// told compares the inputs that the app received, without printing the password.
	told := func(ctx context.Context, host, password, language string) {
		GinkgoHelper()
		has := t.keeps(ctx, "letters-told")
		Expect([]any{has["MAIL_HOST"], has["LANGUAGE"], has["MAIL_PASSWORD"] == password}).To(Equal([]any{host, language, true}))
		Expect(has).To(HaveLen(3))
	}
	from := func(name, key string) v1alpha1.InputValue {
		return v1alpha1.InputValue{Name: "MAIL_HOST", ValueFrom: &v1alpha1.InputValueSource{OutputRef: &v1alpha1.KeyReference{Name: name, Key: key}}}
	}

	It("gives those that the market has not", func(ctx SpecContext) {
		task := given(ctx)
		t.waits(ctx, task, v1alpha1.ReasonWaitingForInput)
		Expect(task.Status.RequiredInputs).To(ConsistOf(HaveField("Name", "LANGUAGE")))
		task.Spec.EnsureParameters().Inputs = []v1alpha1.InputValue{env("LANGUAGE", "en")}
		Expect(cluster.Update(ctx, task)).To(Succeed())
		t.succeed(ctx, task)
		told(ctx, "mail.market.example", ofMarket, "en")
	})

	It("has some of its own for every app of the namespace", func(ctx SpecContext) {
		Expect(cluster.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "appmarket-envs"},
			Data:       map[string]string{"MAIL_HOST": "mail.plain.example", "LANGUAGE": "de"},
		})).To(Succeed())
		Expect(cluster.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "appmarket-envs"},
			StringData: map[string]string{"MAIL_HOST": "mail.secret.example", "MAIL_PASSWORD": ofOwner},
		})).To(Succeed())
		t.succeed(ctx, given(ctx))
		told(ctx, "mail.secret.example", ofOwner, "de")

		By("giving others for an app, which count more")
		t.succeed(ctx, t.Task(ctx, v1alpha1.ActionUninstall, "letters"))
		mine := secrets.canary("the password of an app")
		t.succeed(ctx, given(ctx, env("MAIL_HOST", "mail.app.example"), t.secret(ctx, "MAIL_PASSWORD", mine)))
		told(ctx, "mail.app.example", mine, "de")
	})

	It("gives what another app offers, and waits for that app", func(ctx SpecContext) {
		task := given(ctx, env("LANGUAGE", "en"), from("post", "entrances.mail.host"))
		t.waits(ctx, task, v1alpha1.ReasonWaitingForDependency)
		Expect(t.state(ctx)).To(BeEmpty())
		t.succeed(ctx, t.Task(ctx, v1alpha1.ActionInstall, "post"))
		t.succeed(ctx, task)
		var offered string
		for _, out := range t.Instance(ctx, "post").Status.Outputs {
			if out.Name == "entrances.mail.host" {
				offered = out.Value
			}
		}
		Expect(offered).To(HavePrefix("post"))
		told(ctx, offered, ofMarket, "en")
	})

	DescribeTable("is refused a password that is not from a Secret", func(ctx SpecContext, password func() v1alpha1.InputValue) {
		Expect(cluster.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: "plain"}, Data: map[string]string{"password": "for all to see"},
		})).To(Succeed())
		task := given(ctx, env("LANGUAGE", "en"), password())
		t.waits(ctx, task, v1alpha1.ReasonWaitingForInput)
		Expect(task.Status.RequiredInputs).To(HaveLen(1))
		asks := task.Status.RequiredInputs[0]
		Expect([]any{asks.Name, asks.Secret, asks.Default}).To(Equal([]any{"MAIL_PASSWORD", true, ""}))
		Expect(asks.Problem).To(Equal("must be set with valueFrom.secretKeyRef, because an object must not store a password"))
		Expect(t.state(ctx)).To(BeEmpty())

		By("giving it as it should be")
		mine := secrets.canary("the password of an app")
		Expect(cluster.Get(ctx, client.ObjectKeyFromObject(task), task)).To(Succeed())
		task.Spec.EnsureParameters().Inputs[1] = t.secret(ctx, "MAIL_PASSWORD", mine)
		Expect(cluster.Update(ctx, task)).To(Succeed())
		t.succeed(ctx, task)
		told(ctx, "mail.market.example", mine, "en")
	},
		Entry("but written down", func() v1alpha1.InputValue { return env("MAIL_PASSWORD", "for all to see") }),
		Entry("but from a ConfigMap", func() v1alpha1.InputValue {
			return v1alpha1.InputValue{Name: "MAIL_PASSWORD", ValueFrom: &v1alpha1.InputValueSource{
				ConfigMapKeyRef: &v1alpha1.KeyReference{Name: "plain", Key: "password"}}}
		}),
	)

	It("has its passwords in no page, file or log", func(ctx SpecContext) {
		t.succeed(ctx, given(ctx, env("LANGUAGE", "en")))
		secrets.searchCluster(ctx)
		secrets.searchRepository(ctx, market, source)
		market.WaitIdle(ctx)
		secrets.searchFiles(market)
		secrets.searched()
	})
})
