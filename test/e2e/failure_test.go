//go:build e2e

package e2e_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// failingImage is the image of the failing apps.
const failingImage = "samples.appmarket.io/failing:1.0"

// podChart returns a chart with one Deployment. container contains the fields of the only container,
// and more the additional objects.
func podChart(name, container string, more ...string) fixture.Chart {
	text := `apiVersion: apps/v1
kind: Deployment
metadata: {name: ` + name + `}
spec:
  selector: {matchLabels: {app: ` + name + `}}
  template:
    metadata: {labels: {app: ` + name + `}}
    spec:
      containers:
      - name: app
        ` + strings.ReplaceAll(strings.TrimSpace(container), "\n", "\n        ") + "\n"
	return fixture.Chart{Name: name, Version: "1.0.0", Files: fixture.Files{
		"templates/app.yaml": text, "templates/more.yaml": strings.Join(more, "\n---\n"),
	}}
}

func failureSteps() {
	var t *fixture.Tenant
	image := "image: " + failingImage + "\n"
	// Without a probe, a container is ready until it exits.
	probed := image + "readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}\n"
	crowded := podChart("crowded", image)
	crowded.Files["templates/app.yaml"] = strings.Replace(crowded.Files["templates/app.yaml"], "    spec:\n", `    spec:
      affinity:
        podAntiAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
          - {topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {app: crowded}}}
`, 1)
	crowded.Files["templates/app.yaml"] = strings.Replace(crowded.Files["templates/app.yaml"], "spec:\n", "spec:\n  replicas: 2\n", 1)

	BeforeAll(func(ctx SpecContext) {
		pushApp("failing:1.0")
		pushApp("gone:1.0")
		t, _ = newTenant(ctx,
			podChart("crashing", probed+"args: [exit, \"3\"]"),
			podChart("pulling", "image: samples.appmarket.io/gone:1.0"),
			podChart("growing", probed+"args: [grow]\nresources: {limits: {memory: 32Mi}}"),
			crowded,
			podChart("balanced", image, `{apiVersion: v1, kind: Service, metadata: {name: balanced}, spec: {type: LoadBalancer, selector: {app: balanced}, ports: [{port: 80}]}}`),
			podChart("unused", image, `{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: unused}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}`),
			podChart("refused", image),
		)
	})

	It("reports the exit code of an app that crashes", func(ctx SpecContext) {
		expectMessage(ctx, t, "crashing", "CrashLoopBackOff", "exit code 3", "container app")
	})

	It("reports an image that was removed from its registry", func(ctx SpecContext) {
		removeImage("gone:1.0")
		expectMessage(ctx, t, "pulling", "ImagePullBackOff", "samples.appmarket.io/gone:1.0")
	})

	It("reports that an app exceeds its memory limit", func(ctx SpecContext) {
		expectMessage(ctx, t, "growing", "OOMKilled", "container app")
	})

	It("reports why a Pod is not scheduled", func(ctx SpecContext) {
		expectMessage(ctx, t, "crowded", "Unschedulable", "anti-affinity")
	})

	It("reports a load balancer that assigns no address", func(ctx SpecContext) {
		end := t.Succeed(ctx, v1alpha1.ActionInstall, "balanced")
		addLine("%s", end.Message)
		Expect(end.Message).To(And(ContainSubstring("Service/balanced"), ContainSubstring("no address")))
	})

	It("reports a claim that waits for a Pod", func(ctx SpecContext) {
		end := t.Succeed(ctx, v1alpha1.ActionInstall, "unused")
		addLine("%s", end.Message)
		Expect(end.Message).To(And(ContainSubstring("PersistentVolumeClaim/unused"), ContainSubstring("no pod uses it")))
	})

	It("reports a webhook that rejects an object", func(ctx SpecContext) {
		startRejectingWebhook(ctx, t.Namespace)
		end := t.Do(ctx, v1alpha1.ActionInstall, "refused")
		addLine("%s", end.Message)
		Expect(end.Status).To(Equal(metav1.ConditionFalse), end.Message)
		Expect(end.Message).To(And(ContainSubstring("policy.example.com"), ContainSubstring("not on a Monday"), ContainSubstring("Deployment/refused")))
	})
}

// expectMessage installs an app that never becomes ready, and waits until the message of the task
// contains the texts. Then it removes the app.
func expectMessage(ctx context.Context, t *fixture.Tenant, app string, texts ...string) {
	GinkgoHelper()
	task := t.Task(ctx, v1alpha1.ActionInstall, app)
	defer func() {
		// Deleting the instance ends the task.
		instance := &v1alpha1.AppInstance{ObjectMeta: metav1.ObjectMeta{Namespace: t.Namespace, Name: app}}
		Expect(client.IgnoreNotFound(t.Client.Delete(ctx, task))).To(Succeed())
		Expect(client.IgnoreNotFound(t.Client.Delete(ctx, instance))).To(Succeed())
	}()
	var last string
	Eventually(func(g Gomega) {
		g.Expect(t.Client.Get(ctx, client.ObjectKeyFromObject(task), task)).To(Succeed())
		var messages []string
		for _, c := range task.Status.Conditions {
			messages = append(messages, c.Message)
			if containsAll(c.Message, texts) {
				last = c.Message
			}
		}
		g.Expect(last).NotTo(BeEmpty(), "no message has %q: %q", texts, messages)
	}).WithContext(ctx).Should(Succeed())
	addLine("%s", last)
}

func containsAll(message string, texts []string) bool {
	for _, text := range texts {
		if !strings.Contains(message, text) {
			return false
		}
	}
	return true
}

// startRejectingWebhook starts an admission webhook that denies every Deployment in a namespace, until the step
// ends.
func startRejectingWebhook(ctx context.Context, namespace string) {
	GinkgoHelper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		review := admissionv1.AdmissionReview{}
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		review.Response = &admissionv1.AdmissionResponse{UID: review.Request.UID, Result: &metav1.Status{Message: "not on a Monday"}}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(review) // The API server may have closed the connection.
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	DeferCleanup(server.Close)
	fail, none := admissionregistrationv1.Fail, admissionregistrationv1.SideEffectClassNone
	webhook := &admissionregistrationv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "policy"},
		Webhooks: []admissionregistrationv1.ValidatingWebhook{{
			Name: "policy.example.com",
			ClientConfig: admissionregistrationv1.WebhookClientConfig{
				URL:      &server.URL,
				CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
			},
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule:       admissionregistrationv1.Rule{APIGroups: []string{"apps"}, APIVersions: []string{"v1"}, Resources: []string{"deployments"}},
			}},
			NamespaceSelector:       &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": namespace}},
			FailurePolicy:           &fail,
			SideEffects:             &none,
			AdmissionReviewVersions: []string{"v1"},
		}},
	}
	Expect(cluster.Client.Create(ctx, webhook)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(cluster.Client.Delete(ctx, webhook)).To(Succeed()) })
	// The API server reads webhook configurations from a watch.
	Eventually(func() string {
		out, _ := cluster.TryKubectl(ctx, nil, "create", "deployment", "try", "--image", failingImage, "--namespace", namespace, "--dry-run=server")
		return out
	}).WithContext(ctx).Should(ContainSubstring("policy.example.com"))
}
