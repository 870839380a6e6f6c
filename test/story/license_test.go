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

var _ = Describe("An app that requires a license", Ordered, ContinueOnFailure, func() {
	var (
		secrets                                           *secretSearch
		issuer                                            *credentialIssuer
		checkout                                          *checkoutServer
		licensedOperator                                  *operator
		inline, referenced, unreachable, unlicensed, late *v1alpha1.MarketSource
		t                                                 *tenant
	)

	BeforeAll(func(ctx SpecContext) {
		secrets = newSecretSearch()
		issuer, checkout = newCredentialIssuer(secrets), newCheckoutServer()
		licensedOperator = defaultOperator.replaceEnv("SSL_CERT_FILE=" + checkout.certificatePath())
		repo, archive := fixture.NewRepository(), toolsChart()
		repo.AddArchive("tools", "1.0.0", archive)
		ns := createNamespace(ctx, "market")
		Expect(k8sClient.Create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "keys"}, StringData: map[string]string{"jwks": issuer.keySet()},
		})).To(Succeed())
		addSource := func(name string, change ...func(*v1alpha1.MarketSourceSpec)) *v1alpha1.MarketSource {
			source := cluster.CreateSource(ctx, ns, name, repo.URL, append(change, fixture.ShareWithAll, fixture.AsOlares)...)
			waitTrue(ctx, source, v1alpha1.ConditionReady)
			return source
		}
		inline = addSource("inline", withLicensing(v1alpha1.LicenseIssuer{Keys: issuer.keySet(), CheckoutURL: checkout.URL + "/buy"}))
		referenced = addSource("referenced", withLicensing(v1alpha1.LicenseIssuer{KeysSecretRef: &v1alpha1.KeyReference{Name: "keys", Key: "jwks"}}))
		unreachable = addSource("unreachable", withLicensing(v1alpha1.LicenseIssuer{KeysURL: "https://" + fixture.FreeAddress() + "/keys.json"}))
		unlicensed = addSource("silent")
		late = addSource("late", withLicensing(v1alpha1.LicenseIssuer{
			KeysSecretRef: &v1alpha1.KeyReference{Name: "late-keys", Key: "jwks"}, CheckoutURL: checkout.URL + "/buy",
		}))
	})

	// installTools creates a task that installs the app.
	installTools := func(ctx context.Context, change ...func(*v1alpha1.AppInstallTaskSpec)) *v1alpha1.AppInstallTask {
		GinkgoHelper()
		password := t.createInputSecret(ctx, "TOOLS_PASSWORD", secrets.newCanary("a password"))
		withPassword := func(s *v1alpha1.AppInstallTaskSpec) { s.EnsureParameters().Inputs = []v1alpha1.InputValue{password} }
		return t.Task(ctx, v1alpha1.ActionInstall, "tools", append(change, withPassword)...)
	}
	// expectInputs checks the inputs that the installed app received.
	expectInputs := func(ctx context.Context, credential string) {
		GinkgoHelper()
		data := t.secretData(ctx, "tools-inputs")
		Expect(data["credential"]).To(Equal(credential))
		Expect(secrets.foundSecret([]byte(data["password"]))).To(Equal("a password"))
		Expect(secrets.foundSecret([]byte(data["credential"]))).NotTo(BeEmpty(), "the search finds a secret where there is one")
		Expect(t.Instance(ctx, "tools").Status.Releases).To(HaveLen(1))
	}

	AfterEach(func(ctx SpecContext) {
		expectStatusContract(ctx, t.Namespace)
		secrets.searchCluster(ctx)
		secrets.searchPage("http://"+licensedOperator.Metrics+"/metrics", false)
	})

	DescribeTable("is installed with a credential of its developer", func(ctx SpecContext, source func() *v1alpha1.MarketSource) {
		t = newTenant(ctx, source())
		credential := issuer.newCredential("a credential", nil)
		t.createSecret(ctx, "license", "token", credential+"\n")
		t.waitSucceeded(ctx, installTools(ctx, withCredential("license")))
		expectInputs(ctx, credential)
	},
		Entry("whose keys are in the source", func() *v1alpha1.MarketSource { return inline }),
		Entry("whose keys are in a Secret of the market", func() *v1alpha1.MarketSource { return referenced }),
	)

	DescribeTable("is not installed with a credential that", func(ctx SpecContext, reason string, credential func() string) {
		t = newTenant(ctx, inline)
		t.createSecret(ctx, "license", "token", credential())
		since := cluster.AuditPosition()
		t.waitFailed(ctx, installTools(ctx, withCredential("license")), reason)
		licensedOperator.WaitIdle(ctx)
		Expect(t.objectState(ctx)).To(BeEmpty())
		Expect(t.unexpectedWrites(since)).To(BeEmpty())
	},
		Entry("has expired", v1alpha1.ReasonLicenseExpired, func() string {
			return issuer.newCredential("an expired credential", map[string]any{"exp": time.Now().Add(-time.Hour).Unix()})
		}),
		Entry("is not valid yet", v1alpha1.ReasonLicenseNotYetValid, func() string {
			return issuer.newCredential("an early credential", map[string]any{"nbf": time.Now().Add(30 * time.Minute).Unix()})
		}),
		Entry("is for another product", v1alpha1.ReasonLicenseInvalid, func() string {
			return issuer.newCredential("a credential for another product", map[string]any{"product": "tools-free"})
		}),
		Entry("is issued to another subject", v1alpha1.ReasonLicenseInvalid, func() string {
			return issuer.newCredential("the credential of another subject", map[string]any{"sub": "did:example:bob"})
		}),
		Entry("is from another issuer", v1alpha1.ReasonLicenseInvalid, func() string {
			return issuer.newCredential("a credential of another issuer", map[string]any{"iss": "did:example:mallory"})
		}),
		Entry("is signed with another key", v1alpha1.ReasonLicenseInvalid, func() string {
			return issuer.signClaims(jose.EdDSA, "ed", issuer.other, issuer.newClaims("a credential of another key", nil))
		}),
		Entry("is not signed", v1alpha1.ReasonLicenseInvalid, func() string { return issuer.unsignedCredential("an unsigned credential", "") }),
		Entry("is not signed, but has a signature", v1alpha1.ReasonLicenseInvalid, func() string {
			return issuer.unsignedCredential("an unsigned credential", "c2lnbmF0dXJl")
		}),
		Entry("is signed with the public key in PEM format as a shared secret", v1alpha1.ReasonLicenseInvalid, func() string {
			return issuer.signClaims(jose.HS256, "rsa", issuer.publicKey(), issuer.newClaims("a confused credential", nil))
		}),
		Entry("is signed with the published key set as a shared secret", v1alpha1.ReasonLicenseInvalid, func() string {
			return issuer.signClaims(jose.HS256, "ed", []byte(issuer.keySet()), issuer.newClaims("a confused credential", nil))
		}),
		Entry("is changed after it was signed", v1alpha1.ReasonLicenseInvalid, func() string { return issuer.tamperedCredential("a changed credential") }),
		Entry("is not a credential", v1alpha1.ReasonLicenseInvalid, func() string { return secrets.newCanary("some other text") }),
		Entry("is empty", v1alpha1.ReasonLicenseNotFound, func() string { return "\n" }),
	)

	It("is not installed from a source that does not specify the issuer", func(ctx SpecContext) {
		t = newTenant(ctx, unlicensed)
		t.createSecret(ctx, "license", "token", issuer.newCredential("a credential without an issuer", nil))
		t.waitFailed(ctx, installTools(ctx, withCredential("license")), v1alpha1.ReasonLicenseInvalid)
		Expect(t.objectState(ctx)).To(BeEmpty())
	})

	It("waits for the keys of an issuer that does not respond", func(ctx SpecContext) {
		t = newTenant(ctx, unreachable)
		t.createSecret(ctx, "license", "token", issuer.newCredential("a credential without keys", nil))
		since := cluster.AuditPosition()
		t.waitReconciling(ctx, installTools(ctx, withCredential("license")), v1alpha1.ReasonLicenseKeysUnavailable)
		licensedOperator.WaitIdle(ctx)
		Expect(t.objectState(ctx)).To(BeEmpty())
		Expect(t.unexpectedWrites(since)).To(BeEmpty())
	})

	It("requests a credential with product and price, and is installed when it is provided", func(ctx SpecContext) {
		t = newTenant(ctx, inline)
		task := installTools(ctx)
		t.waitReconciling(ctx, task, v1alpha1.ReasonWaitingForInput)
		Expect(task.Status.RequiredInputs).To(HaveLen(1))
		required := task.Status.RequiredInputs[0]
		Expect([]any{required.Name, required.Type, required.Required, required.Problem}).To(Equal([]any{"spec.install.credentialSecretRef", "credential", true, "required"}))
		Expect(required.Description).To(And(ContainSubstring(product), ContainSubstring(developer), ContainSubstring("1000000 USDC on optimism")))
		Expect(t.objectState(ctx)).To(BeEmpty())

		By("setting a reference to a Secret that does not exist")
		task.Spec.EnsureParameters().CredentialSecretRef = &v1alpha1.KeyReference{Name: "license", Key: "token"}
		Expect(k8sClient.Update(ctx, task)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(task), task)).To(Succeed())
			g.Expect(task.Status.ObservedGeneration).NotTo(Equal(task.Generation), "the generation is not observed while the task waits")
			g.Expect(task.Status.RequiredInputs).To(BeEmpty())
			g.Expect(task.Status.Preflight).To(ContainElement(HaveField("Message", ContainSubstring(`Secret "license" not found`))))
		}).WithContext(ctx).Should(Succeed())

		By("creating the Secret")
		credential := issuer.newCredential("a credential that came late", nil)
		t.createSecret(ctx, "license", "token", credential)
		t.waitSucceeded(ctx, task)
		expectInputs(ctx, credential)
	})

	withPurchaseRequest := func(s *v1alpha1.AppInstallTaskSpec) {
		s.EnsureParameters().PurchaseRequestSecretRef = &v1alpha1.KeyReference{Name: "request", Key: "signed"}
	}
	// createPurchase creates a task that sends a purchase request to the checkout.
	createPurchase := func(ctx context.Context, request string) *v1alpha1.AppInstallTask {
		GinkgoHelper()
		t.createSecret(ctx, "request", "signed", request)
		return installTools(ctx, withCredential("license"), withPurchaseRequest)
	}

	It("is purchased by requests to the checkout until the payment is known", func(ctx SpecContext) {
		t = newTenant(ctx, inline)
		request, credential := secrets.newCanary("a purchase request"), issuer.newCredential("a purchased credential", nil)
		checkout.setResponses(request, noRecordResponse(), noRecordResponse(), soldResponse(credential))
		t.createSecret(ctx, "license", "invoice", "17")
		task := createPurchase(ctx, request)
		t.waitReconciling(ctx, task, v1alpha1.ReasonPurchaseNotFound)
		Expect(task.Status.PurchaseAttempts).To(BeNumerically(">=", 1))
		Expect(t.objectState(ctx)).To(BeEmpty())
		t.waitSucceeded(ctx, task)
		Expect(checkout.requestedProducts(request)).To(Equal([]string{product, product, product}))
		Expect(task.Status.PurchaseAttempts).To(BeEquivalentTo(3))
		Expect(t.secretData(ctx, "license")).To(And(HaveKeyWithValue("token", credential), HaveKeyWithValue("invoice", "17")))
		expectInputs(ctx, credential)
	})

	DescribeTable("is not purchased from a checkout that", func(ctx SpecContext, reason string, answer func() any) {
		t = newTenant(ctx, inline)
		request := secrets.newCanary("a purchase request")
		checkout.setResponses(request, answer())
		t.waitFailed(ctx, createPurchase(ctx, request), reason)
		Expect(checkout.requestedProducts(request)).To(HaveLen(1))
		Expect(t.objectState(ctx)).To(BeEmpty())
		err := k8sClient.Get(ctx, client.ObjectKey{Namespace: t.Namespace, Name: "license"}, &corev1.Secret{})
		Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%v", err)
	},
		Entry("rejects the request", v1alpha1.ReasonPurchaseRequestRejected, rejectedResponse),
		Entry("returns a credential for another product", v1alpha1.ReasonPurchaseFailed, func() any {
			return soldResponse(issuer.newCredential("a credential of the checkout", map[string]any{"product": "tools-free"}))
		}),
		Entry("returns a credential with another signature", v1alpha1.ReasonPurchaseFailed, func() any {
			return soldResponse(issuer.signClaims(jose.EdDSA, "ed", issuer.other, issuer.newClaims("a credential of the checkout", nil)))
		}),
		Entry("returns no credential", v1alpha1.ReasonPurchaseFailed, func() any { return soldResponse("") }),
	)

	It("is purchased once although the operator is killed during the purchase", func(ctx SpecContext) {
		t = newTenant(ctx, inline)
		request, credential := secrets.newCanary("a purchase request"), issuer.newCredential("a purchased credential", nil)
		checkout.setResponses(request, noRecordResponse())
		task := createPurchase(ctx, request)
		t.waitReconciling(ctx, task, v1alpha1.ReasonPurchaseNotFound)
		licensedOperator.Kill()
		before := len(checkout.requestedProducts(request))
		checkout.setResponses(request, noRecordResponse(), soldResponse(credential))
		Expect(k8sClient.Get(ctx, client.ObjectKeyFromObject(task), task)).To(Succeed())
		Expect(task.Status.PurchaseAttempts).To(BeNumerically(">", 0))
		counted := task.Status.PurchaseAttempts
		licensedOperator.Start()
		t.waitSucceeded(ctx, task)
		Expect(checkout.requestedProducts(request)).To(HaveLen(before + 2))
		Expect(task.Status.PurchaseAttempts).To(Equal(counted + 2))
		Expect(t.secretData(ctx, "license")).To(HaveKeyWithValue("token", credential))
		expectInputs(ctx, credential)
	})

	It("is purchased when the purchase request and the keys of the issuer exist", func(ctx SpecContext) {
		t = newTenant(ctx, late)
		request, credential := secrets.newCanary("a purchase request"), issuer.newCredential("a purchased credential", nil)
		checkout.setResponses(request, soldResponse(credential))
		task := installTools(ctx, withCredential("license"), withPurchaseRequest)
		t.waitReconciling(ctx, task, v1alpha1.ReasonWaitingForInput)
		Expect(task.Status.PurchaseAttempts).To(BeZero(), "no request is sent")

		t.createSecret(ctx, "request", "signed", request)
		t.waitReconciling(ctx, task, v1alpha1.ReasonLicenseKeysUnavailable)
		Expect(checkout.requestedProducts(request)).To(HaveLen(1))
		Expect(t.objectState(ctx)).To(BeEmpty())

		administrator := &tenant{&fixture.Tenant{Cluster: cluster, Namespace: late.Namespace}}
		administrator.createSecret(ctx, "late-keys", "jwks", issuer.keySet())
		t.waitSucceeded(ctx, task)
		Expect(task.Status.PurchaseAttempts).To(BeEquivalentTo(2))
		expectInputs(ctx, credential)
	})

	It("has no credential in an object, page, file or log", func(ctx SpecContext) {
		sources := []*v1alpha1.MarketSource{inline, referenced, unreachable, unlicensed, late}
		t = newTenant(ctx, inline)
		credential := issuer.newCredential("a credential", nil)
		t.createSecret(ctx, "license", "token", credential)
		t.waitSucceeded(ctx, installTools(ctx, withCredential("license")))
		secrets.searchCluster(ctx)
		secrets.searchRepository(ctx, licensedOperator, sources...)
		licensedOperator.Stop() // Stopping flushes pending writes.
		secrets.searchFiles(licensedOperator)
		licensedOperator.Start()
		secrets.reportSearch()
	})
})
