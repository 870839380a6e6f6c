package story_test

import (
	"context"
	"time"

	"github.com/go-jose/go-jose/v4"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

var _ = Describe("A tenant of an app that must be bought", Ordered, ContinueOnFailure, func() {
	var (
		secrets                                       *vault
		maker                                         *seller
		checkout                                      *till
		running                                       *operator
		inline, referenced, unreachable, silent, late *v1alpha1.MarketSource
		t                                             *tenant
	)

	BeforeAll(func(ctx SpecContext) {
		secrets = newVault()
		maker, checkout = newSeller(secrets), newTill()
		running = market.with("SSL_CERT_FILE=" + checkout.certificate())
		repo, archive := fixture.NewRepository(), tools()
		repo.Handle("/tools.tgz", fixture.Content(archive))
		repo.Handle("/index.yaml", fixture.Content(fixture.IndexOf(fixture.NewOffer("tools", "1.0.0", "tools.tgz", archive))))
		ns := namespace(ctx, "market")
		Expect(cluster.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "keys"}, StringData: map[string]string{"jwks": maker.keys()},
		})).To(Succeed())
		keep := func(name string, change ...func(*v1alpha1.MarketSourceSpec)) *v1alpha1.MarketSource {
			source := sourceOf(ctx, ns, name, repo.URL, append(change, sharedByAll, asOlares)...)
			eventuallyTrue(ctx, source, v1alpha1.ConditionReady)
			return source
		}
		inline = keep("inline", licensed(v1alpha1.LicenseIssuer{Keys: maker.keys(), CheckoutURL: checkout.URL + "/buy"}))
		referenced = keep("referenced", licensed(v1alpha1.LicenseIssuer{KeysSecretRef: &v1alpha1.KeyReference{Name: "keys", Key: "jwks"}}))
		unreachable = keep("unreachable", licensed(v1alpha1.LicenseIssuer{KeysURL: "https://" + fixture.FreeAddress() + "/keys.json"}))
		silent = keep("silent")
		late = keep("late", licensed(v1alpha1.LicenseIssuer{
			KeysSecretRef: &v1alpha1.KeyReference{Name: "late-keys", Key: "jwks"}, CheckoutURL: checkout.URL + "/buy",
		}))
	})

	// wish creates a task that installs the app.
	wish := func(ctx context.Context, change ...func(*v1alpha1.AppInstallTaskSpec)) *v1alpha1.AppInstallTask {
		GinkgoHelper()
		password := t.secret(ctx, "TOOLS_PASSWORD", secrets.canary("a password"))
		given := func(s *v1alpha1.AppInstallTaskSpec) { s.EnsureParameters().Inputs = []v1alpha1.InputValue{password} }
		return t.Task(ctx, v1alpha1.ActionInstall, "tools", append(change, given)...)
	}
	// told checks the inputs that the installed app received.
	told := func(ctx context.Context, credential string) {
		GinkgoHelper()
		has := t.keeps(ctx, "tools-told")
		Expect(has["credential"]).To(Equal(credential))
		Expect(secrets.told([]byte(has["password"]))).To(Equal("a password"))
		Expect(secrets.told([]byte(has["credential"]))).NotTo(BeEmpty(), "a search that finds nothing anywhere")
		Expect(t.Instance(ctx, "tools").Status.Releases).To(HaveLen(1))
	}

	AfterEach(func(ctx SpecContext) {
		keepTheContract(ctx, t.Namespace)
		secrets.searchCluster(ctx)
		secrets.searchPage("http://"+running.Metrics+"/metrics", false)
	})

	DescribeTable("installs it with a credential of its developer", func(ctx SpecContext, source func() *v1alpha1.MarketSource) {
		t = newTenant(ctx, source())
		credential := maker.credential("a credential", nil)
		t.has(ctx, "license", "token", credential+"\n")
		t.succeed(ctx, wish(ctx, named("license")))
		told(ctx, credential)
	},
		Entry("whose keys are in the source", func() *v1alpha1.MarketSource { return inline }),
		Entry("whose keys are in a Secret of the market", func() *v1alpha1.MarketSource { return referenced }),
	)

	DescribeTable("is refused, and nothing is installed, with one that", func(ctx SpecContext, reason string, credential func() string) {
		t = newTenant(ctx, inline)
		t.has(ctx, "license", "token", credential())
		since := takeTrail()
		t.fails(ctx, wish(ctx, named("license")), reason)
		running.WaitIdle(ctx)
		Expect(t.state(ctx)).To(BeEmpty())
		Expect(t.touched(since)).To(BeEmpty())
	},
		Entry("has expired", v1alpha1.ReasonLicenseExpired, func() string {
			return maker.credential("an expired credential", map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})
		}),
		Entry("is not valid yet", v1alpha1.ReasonLicenseNotYetValid, func() string {
			return maker.credential("an early credential", map[string]any{"nbf": time.Now().Add(30 * time.Minute).Unix()})
		}),
		Entry("is for another product", v1alpha1.ReasonLicenseInvalid, func() string {
			return maker.credential("a credential for another product", map[string]any{"product": "tools-free"})
		}),
		Entry("was issued to somebody else", v1alpha1.ReasonLicenseInvalid, func() string {
			return maker.credential("the credential of somebody else", map[string]any{"sub": "did:example:bob"})
		}),
		Entry("is of another issuer", v1alpha1.ReasonLicenseInvalid, func() string {
			return maker.credential("a credential of another issuer", map[string]any{"iss": "did:example:mallory"})
		}),
		Entry("was signed with another key", v1alpha1.ReasonLicenseInvalid, func() string {
			return maker.sign(jose.EdDSA, "ed", maker.other, maker.claims("a credential of another key", nil))
		}),
		Entry("is not signed", v1alpha1.ReasonLicenseInvalid, func() string { return maker.unsigned("an unsigned credential", "") }),
		Entry("is not signed but looks so", v1alpha1.ReasonLicenseInvalid, func() string {
			return maker.unsigned("an unsigned credential", "c2lnbmF0dXJl")
		}),
		Entry("was signed with the public key as a secret, as PEM", v1alpha1.ReasonLicenseInvalid, func() string {
			return maker.sign(jose.HS256, "rsa", maker.public(), maker.claims("a confused credential", nil))
		}),
		Entry("was signed with the public key as a secret, as published", v1alpha1.ReasonLicenseInvalid, func() string {
			return maker.sign(jose.HS256, "ed", []byte(maker.keys()), maker.claims("a confused credential", nil))
		}),
		Entry("was changed after it was signed", v1alpha1.ReasonLicenseInvalid, func() string { return maker.tampered("a changed credential") }),
		Entry("is no credential", v1alpha1.ReasonLicenseInvalid, func() string { return secrets.canary("some other text") }),
		Entry("is empty", v1alpha1.ReasonLicenseNotFound, func() string { return "\n" }),
	)

	It("is refused where the market does not name the issuer", func(ctx SpecContext) {
		t = newTenant(ctx, silent)
		t.has(ctx, "license", "token", maker.credential("a credential that nobody can check", nil))
		t.fails(ctx, wish(ctx, named("license")), v1alpha1.ReasonLicenseInvalid)
		Expect(t.state(ctx)).To(BeEmpty())
	})

	It("waits for an issuer that does not answer", func(ctx SpecContext) {
		t = newTenant(ctx, unreachable)
		t.has(ctx, "license", "token", maker.credential("a credential without keys", nil))
		since := takeTrail()
		t.waits(ctx, wish(ctx, named("license")), v1alpha1.ReasonLicenseKeysUnavailable)
		running.WaitIdle(ctx)
		Expect(t.state(ctx)).To(BeEmpty())
		Expect(t.touched(since)).To(BeEmpty())
	})

	It("is told product and price where it has none, and goes on with the credential", func(ctx SpecContext) {
		t = newTenant(ctx, inline)
		task := wish(ctx)
		t.waits(ctx, task, v1alpha1.ReasonWaitingForInput)
		Expect(task.Status.RequiredInputs).To(HaveLen(1))
		asks := task.Status.RequiredInputs[0]
		Expect([]any{asks.Name, asks.Type, asks.Required, asks.Problem}).To(Equal([]any{"spec.install.credentialSecretRef", "credential", true, "required"}))
		Expect(asks.Description).To(And(ContainSubstring(product), ContainSubstring(developer), ContainSubstring("1000000 USDC on optimism")))
		Expect(t.state(ctx)).To(BeEmpty())

		By("naming a Secret that is not there yet")
		task.Spec.EnsureParameters().CredentialSecretRef = &v1alpha1.KeyReference{Name: "license", Key: "token"}
		Expect(cluster.Update(ctx, task)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(cluster.Get(ctx, client.ObjectKeyFromObject(task), task)).To(Succeed())
			g.Expect(task.Status.ObservedGeneration).NotTo(Equal(task.Generation), "it counts as dealt with")
			g.Expect(task.Status.RequiredInputs).To(BeEmpty())
			g.Expect(task.Status.Preflight).To(ContainElement(HaveField("Message", ContainSubstring(`Secret "license" not found`))))
		}).WithContext(ctx).Should(Succeed())

		By("making it")
		credential := maker.credential("a credential that came late", nil)
		t.has(ctx, "license", "token", credential)
		t.succeed(ctx, task)
		told(ctx, credential)
	})

	requested := func(s *v1alpha1.AppInstallTaskSpec) {
		s.EnsureParameters().PurchaseRequestSecretRef = &v1alpha1.KeyReference{Name: "request", Key: "signed"}
	}
	// buys creates a task that sends a purchase request to the checkout.
	buys := func(ctx context.Context, request string) *v1alpha1.AppInstallTask {
		GinkgoHelper()
		t.has(ctx, "request", "signed", request)
		return wish(ctx, named("license"), requested)
	}

	It("buys it: the checkout is asked until it knows of the payment", func(ctx SpecContext) {
		t = newTenant(ctx, inline)
		request, credential := secrets.canary("a purchase request"), maker.credential("a credential that was bought", nil)
		checkout.sells(request, noRecord(), noRecord(), bought(credential))
		t.has(ctx, "license", "invoice", "17")
		task := buys(ctx, request)
		t.waits(ctx, task, v1alpha1.ReasonPurchaseNotFound)
		Expect(task.Status.PurchaseAttempts).To(BeNumerically(">=", 1))
		Expect(t.state(ctx)).To(BeEmpty())
		t.succeed(ctx, task)
		Expect(checkout.products(request)).To(Equal([]string{product, product, product}))
		Expect(task.Status.PurchaseAttempts).To(BeEquivalentTo(3))
		Expect(t.keeps(ctx, "license")).To(And(HaveKeyWithValue("token", credential), HaveKeyWithValue("invoice", "17")))
		told(ctx, credential)
	})

	DescribeTable("buys nothing from a checkout that", func(ctx SpecContext, reason string, answer func() any) {
		t = newTenant(ctx, inline)
		request := secrets.canary("a purchase request")
		checkout.sells(request, answer())
		t.fails(ctx, buys(ctx, request), reason)
		Expect(checkout.products(request)).To(HaveLen(1))
		Expect(t.state(ctx)).To(BeEmpty())
		err := cluster.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: "license"}, &corev1.Secret{})
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
	},
		Entry("does not accept the request", v1alpha1.ReasonPurchaseRequestRejected, signAgain),
		Entry("gives a credential for another product", v1alpha1.ReasonPurchaseFailed, func() any {
			return bought(maker.credential("a credential of the checkout", map[string]any{"product": "tools-free"}))
		}),
		Entry("gives a credential that somebody else signed", v1alpha1.ReasonPurchaseFailed, func() any {
			return bought(maker.sign(jose.EdDSA, "ed", maker.other, maker.claims("a credential of the checkout", nil)))
		}),
		Entry("gives none", v1alpha1.ReasonPurchaseFailed, func() any { return bought("") }),
	)

	It("buys it although the operator is killed meanwhile", func(ctx SpecContext) {
		t = newTenant(ctx, inline)
		request, credential := secrets.canary("a purchase request"), maker.credential("a credential that was bought", nil)
		checkout.sells(request, noRecord())
		task := buys(ctx, request)
		t.waits(ctx, task, v1alpha1.ReasonPurchaseNotFound)
		running.Kill()
		before := len(checkout.products(request))
		checkout.sells(request, noRecord(), bought(credential))
		Expect(cluster.Get(ctx, client.ObjectKeyFromObject(task), task)).To(Succeed())
		Expect(task.Status.PurchaseAttempts).To(BeNumerically(">", 0))
		counted := task.Status.PurchaseAttempts
		running.Start()
		t.succeed(ctx, task)
		Expect(checkout.products(request)).To(HaveLen(before + 2))
		Expect(task.Status.PurchaseAttempts).To(Equal(counted + 2))
		Expect(t.keeps(ctx, "license")).To(HaveKeyWithValue("token", credential))
		told(ctx, credential)
	})

	It("buys it once there is a request, and keys to check what the checkout gives", func(ctx SpecContext) {
		t = newTenant(ctx, late)
		request, credential := secrets.canary("a purchase request"), maker.credential("a credential that was bought", nil)
		checkout.sells(request, bought(credential))
		task := wish(ctx, named("license"), requested)
		t.waits(ctx, task, v1alpha1.ReasonWaitingForInput)
		Expect(task.Status.PurchaseAttempts).To(BeZero(), "nobody was asked")

		t.has(ctx, "request", "signed", request)
		t.waits(ctx, task, v1alpha1.ReasonLicenseKeysUnavailable)
		Expect(checkout.products(request)).To(HaveLen(1))
		Expect(t.state(ctx)).To(BeEmpty())

		keeper := &tenant{&fixture.Tenant{Cluster: local, Namespace: late.Namespace}}
		keeper.has(ctx, "late-keys", "jwks", maker.keys())
		t.succeed(ctx, task)
		Expect(task.Status.PurchaseAttempts).To(BeEquivalentTo(2))
		told(ctx, credential)
	})

	It("is told on by nobody", func(ctx SpecContext) {
		sources := []*v1alpha1.MarketSource{inline, referenced, unreachable, silent, late}
		t = newTenant(ctx, inline)
		credential := maker.credential("a credential", nil)
		t.has(ctx, "license", "token", credential)
		t.succeed(ctx, wish(ctx, named("license")))
		secrets.searchCluster(ctx)
		secrets.searchRepository(ctx, running, sources...)
		running.Stop() // Stopping flushes pending writes.
		secrets.searchFiles(running)
		running.Start()
		secrets.searched()
	})
})
