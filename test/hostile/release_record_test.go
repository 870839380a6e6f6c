package hostile_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// deploymentChart is an app with lists that Helm merges by strategic merge patch.
var deploymentChart = newChart(fixture.Files{
	"values.yaml": "replicas: 1\nimagePullSecrets: []\n",
	"templates/deployment.yaml": `apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: "{{ .Release.Name }}"}}
  template:
    metadata: {labels: {app: "{{ .Release.Name }}"}}
    spec:
      {{- with .Values.imagePullSecrets }}
      imagePullSecrets: {{ toJson . }}
      {{- end }}
      containers:
      - {name: main, image: "` + fixture.Image + `"}
`,
})

// changeRecord changes the manifest in the Helm record of the first revision.
func changeRecord(ctx context.Context, t *fixture.Tenant, change func(manifest string) string) {
	GinkgoHelper()
	secret := &corev1.Secret{}
	t.Get(ctx, secret, "sh.helm.release.v1.victim.v1")
	raw, err := base64.StdEncoding.DecodeString(string(secret.Data["release"]))
	Expect(err).NotTo(HaveOccurred())
	zipped, err := gzip.NewReader(bytes.NewReader(raw))
	Expect(err).NotTo(HaveOccurred())
	text, err := io.ReadAll(zipped)
	Expect(err).NotTo(HaveOccurred())
	record := map[string]any{}
	Expect(json.Unmarshal(text, &record)).To(Succeed())
	record["manifest"] = change(record["manifest"].(string))
	text, err = json.Marshal(record)
	Expect(err).NotTo(HaveOccurred())
	secret.Data["release"] = encodeRelease(text)
	Expect(t.Client.Update(ctx, secret)).To(Succeed())
}

// encodeRelease returns a release in the encoding of Helm records.
func encodeRelease(text []byte) []byte {
	GinkgoHelper()
	var out bytes.Buffer
	zipped := gzip.NewWriter(&out)
	_, err := zipped.Write(text)
	Expect(err).NotTo(HaveOccurred())
	Expect(zipped.Close()).To(Succeed())
	return []byte(base64.StdEncoding.EncodeToString(out.Bytes()))
}

// createRecord creates a Helm record of a revision of the release victim.
func createRecord(ctx context.Context, t *fixture.Tenant, revision int, release []byte) {
	GinkgoHelper()
	Expect(t.Client.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: t.Namespace, Name: fmt.Sprintf("sh.helm.release.v1.victim.v%d", revision),
			Labels: map[string]string{"owner": "helm", "name": "victim", "status": "superseded", "version": fmt.Sprint(revision)},
		},
		Type: "helm.sh/release.v1", Data: map[string][]byte{"release": release},
	})).To(Succeed())
}

var _ = Describe("Release records", func() {
	var t *fixture.Tenant
	BeforeEach(func(ctx SpecContext) {
		t = newTenant(ctx)
		repository := t.Offer(ctx, deploymentChart)
		t.Succeed(ctx, v1alpha1.ActionInstall, "victim")
		repository.Add(deploymentChart.With("1.1.0", fixture.Files{"files/new": "1"}))
		t.Sync(ctx)
	})
	// upgrade upgrades to the new version and returns the result.
	upgrade := func(ctx SpecContext, change ...fixture.Change) string {
		end := t.Do(ctx, v1alpha1.ActionUpgrade, "victim", append(change, fixture.Version("1.1.0"))...)
		return fmt.Sprintf("task %s: %s", end.Reason, truncateMessage(end.Message))
	}

	It("with null instead of containers only fail the task", func(ctx SpecContext) {
		runAttack(ctx, func() string {
			changeRecord(ctx, t, func(manifest string) string {
				begin := strings.Index(manifest, "containers:")
				return manifest[:begin] + "containers:\n      - null\n"
			})
			return upgrade(ctx, fixture.Values(map[string]any{"replicas": 2}))
		})
	})
	It("with objects of another namespace are not applied", func(ctx SpecContext) {
		other := newTenant(ctx)
		Expect(other.Client.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: other.Namespace, Name: "mine"}})).To(Succeed())
		runAttack(ctx, func() string {
			changeRecord(ctx, t, func(manifest string) string {
				return manifest + "\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: mine, namespace: " + other.Namespace + "}\n"
			})
			outcome := upgrade(ctx)
			other.Get(ctx, &corev1.ConfigMap{}, "mine")
			return outcome
		})
	})
	It("that decompress to 300 MB are not decompressed", func(ctx SpecContext) {
		runAttack(ctx, func() string {
			createRecord(ctx, t, 2, encodeRelease(append([]byte(`{"name": "victim", "manifest": "`), bytes.Repeat([]byte("x"), 300<<20)...)))
			return upgrade(ctx)
		})
	})
	It("in 300 Secrets of 200 kB are counted before they are read", func(ctx SpecContext) {
		runAttack(ctx, func() string {
			release := []byte(base64.StdEncoding.EncodeToString([]byte(randomText(150 << 10))))
			inParallel(300, func(i int) { createRecord(ctx, t, i+2, release) })
			return upgrade(ctx)
		})
	})
	It("with a null from a value in a list only fail the task", func(ctx SpecContext) {
		runAttack(ctx, func() string {
			first := upgrade(ctx, fixture.Values(map[string]any{"imagePullSecrets": []any{nil}}))
			t.Do(ctx, v1alpha1.ActionRollback, "victim")
			return first
		})
	})
})
