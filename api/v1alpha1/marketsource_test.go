package v1alpha1_test

import (
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
)

const source = `
spec:
  type: Helm
  helm: {url: "https://charts.example.com"}
`

var _ = Describe("MarketSource", func() {
	DescribeTable("is accepted", func(c change) {
		o := object("MarketSource", source)
		c.apply(o)
		Expect(create(o)).To(Succeed())
	},
		Entry("with a repository", change("")),
		Entry("with a folder", change("spec.type: Directory\nspec.helm:\nspec.directory: {path: /charts}")),
		Entry("with the repository of a chart", change(`spec: {type: OCI, oci: {url: "oci://registry.example:5000/charts/web"}}`)),
		Entry("with charts of a registry", change(`spec: {type: OCI, oci: {url: "oci://registry.example/", charts: [web, cache], insecure: true}}`)),
		Entry("with an app store", change(`spec: {type: Olares, olares: {url: "https://store.example/v5/", systemVersion: 1.12.6-20260101}}`)),
		Entry("with an artifact", change(`spec: {type: Artifact, artifact: {kind: Bucket, name: charts.team, path: stable/apps}}`)),
		Entry("with a receiver", change("spec.receiver: {type: GitHub, secretRef: {name: hook}}")),
		Entry("with a client certificate and a proxy", change(`spec.helm: {url: "https://charts.example", certSecretRef: {name: cert}, proxySecretRef: {name: proxy}}`)),
		Entry("with git over https and a proxy", change(`spec: {type: Git, git: {url: "https://git.example/charts.git", proxySecretRef: {name: proxy}}}`)),
		Entry("with the shortest interval", change("spec.interval: 10s")),
		Entry("with an interval of several units", change("spec.interval: 1h30m")),
		Entry("with the longest timeout", change("spec.timeout: 10m")),
		Entry("with a path and a port in its URL", change(`spec.helm: {url: "http://localhost:8080/charts@stable"}`)),
		Entry("shared with namespaces of a label", change("spec.allowedNamespaces: {from: Selector, selector: {matchLabels: {team: red}}}")),
		Entry("with parameters of any form", change("spec.customParams: {a: {b: [1, {c: null}]}, d: true}")),
		Entry("with a title and a description", change("spec.title: Team charts\nspec.description: Apps of the team")),
		Entry("with all versions that may be kept", change("spec.filter: {maxVersions: 50}")),
	)

	It("is accepted as in the samples", func() {
		files, err := filepath.Glob("../../config/samples/sources/*.yaml")
		Expect(err).NotTo(HaveOccurred())
		Expect(files).NotTo(BeEmpty())
		for _, file := range files {
			text, err := os.ReadFile(file)
			Expect(err).NotTo(HaveOccurred())
			o := object("MarketSource", string(text))
			Expect(create(o)).To(Succeed(), file)
		}
	})

	DescribeTable("is refused", func(c change, sentence string) {
		o := object("MarketSource", source)
		c.apply(o)
		Expect(create(o)).To(MatchError(ContainSubstring(sentence)))
	},
		Entry("without a spec", change("spec:"), "spec: Required value"),
		Entry("with an empty title", change(`spec.title: ""`), "spec.title in body should be at least 1 chars long"),
		Entry("with a long title", change("spec.title: "+strings.Repeat("a", 201)), "spec.title: Too long"),
		Entry("with a long description", change("spec.description: "+strings.Repeat("a", 1025)), "spec.description: Too long"),
		Entry("without a type", change("spec.type:"), "spec.type: Required value"),
		Entry("of another type", change("spec.type: Bucket"), `Unsupported value: "Bucket"`),
		Entry("without the member of its type", change("spec.helm:"), "helm is required when type is Helm"),
		Entry("without the folder of its type", change("spec.type: Directory\nspec.helm:"), "directory is required when type is Directory"),
		Entry("with the member of another type too", change("spec.directory: {path: /charts}"), "directory may only be set when type is Directory"),
		Entry("with only the member of another type", change("spec.type: Directory"), "helm may only be set when type is Helm"),
		Entry("with a URL of another scheme", change(`spec.helm: {url: "oci://example.com/charts"}`), "url must begin with http:// or https://; for a registry, use type OCI"),
		Entry("with a password in the URL", change(`spec.helm: {url: "https://me:secret@example.com"}`), "url must not contain credentials; use secretRef"),
		Entry("with a user in the URL", change(`spec.helm: {url: "https://me@example.com/charts"}`), "url must not contain credentials; use secretRef"),
		Entry("with a URL that is too long", change(`spec.helm: {url: "https://`+letters(2048)+`"}`), "may not be more than 2048"),
		Entry("without the app store of its type", change("spec.type: Olares\nspec.helm:"), "olares is required when type is Olares"),
		Entry("with an app store of another type", change(`spec.olares: {url: "https://store.example"}`), "olares may only be set when type is Olares"),
		Entry("with a password in the URL of an app store", change(`spec: {type: Olares, olares: {url: "https://me:secret@store.example"}}`), "must not contain credentials or a query"),
		Entry("without the artifact of its type", change("spec.type: Artifact\nspec.helm:"), "artifact is required when type is Artifact"),
		Entry("with an artifact of another type", change(`spec.artifact: {kind: Bucket, name: charts}`), "artifact may only be set when type is Artifact"),
		Entry("with an artifact of another kind", change(`spec: {type: Artifact, artifact: {kind: HelmRepository, name: charts}}`), `Unsupported value: "HelmRepository"`),
		Entry("with an artifact in another namespace", change(`spec: {type: Artifact, artifact: {kind: Bucket, name: other/charts}}`), "spec.artifact.name"),
		Entry("with a path that leaves the artifact", change(`spec: {type: Artifact, artifact: {kind: Bucket, name: charts, path: a/../..}}`), "path must be relative, and must not contain .."),
		Entry("with a path in a chart", change(`spec: {type: Artifact, artifact: {kind: HelmChart, name: charts, path: a}}`), "path may not be set when kind is HelmChart"),
		Entry("with git over SSH and a proxy", change(`spec: {type: Git, git: {url: "ssh://git@git.example/charts.git", proxySecretRef: {name: proxy}}}`),
			"proxySecretRef may only be set when url begins with https://, because SSH does not use a proxy"),
		Entry("with a receiver of another type", change("spec.receiver: {type: Gitea, secretRef: {name: hook}}"), `Unsupported value: "Gitea"`),
		Entry("with a receiver without a token", change("spec.receiver: {type: GitHub}"), "spec.receiver.secretRef"),
		Entry("without the registry of its type", change("spec.type: OCI\nspec.helm:"), "oci is required when type is OCI"),
		Entry("with a registry of another type", change(`spec.oci: {url: "oci://example.com/web"}`), "oci may only be set when type is OCI"),
		Entry("with a registry without its scheme", change(`spec: {type: OCI, oci: {url: "https://example.com/web"}}`), "url must begin with oci:// and a host"),
		Entry("with a tag of a registry's repository by digest", change(`spec: {type: OCI, oci: {url: "oci://example.com/web@sha256:00"}}`), "must not contain credentials, a tag or a digest"),
		Entry("with a password in the URL of a registry", change(`spec: {type: OCI, oci: {url: "oci://me:secret@example.com/web"}}`), "must not contain credentials, a tag or a digest"),
		Entry("with the same chart twice", change(`spec: {type: OCI, oci: {url: "oci://example.com", charts: [web, web]}}`), "Duplicate value"),
		Entry("without the uploads of its type", change("spec.type: Upload\nspec.helm:"), "upload is required when type is Upload"),
		Entry("with uploads of another type", change("spec.upload: {}"), "upload may only be set when type is Upload"),
		Entry("with no room for uploads", change("spec.type: Upload\nspec.helm:\nspec.upload: {maxSize: 0}"), "maxSize must be greater than 0"),
		Entry("with too many uploads", change("spec.type: Upload\nspec.helm:\nspec.upload: {maxCharts: 10001}"), "should be less than or equal to 10000"),
		Entry("with a relative folder", change("spec.type: Directory\nspec.helm:\nspec.directory: {path: charts}"), "path must be absolute"),
		Entry("with too short an interval", change("spec.interval: 9s"), "interval must be at least 10s"),
		Entry("with an interval in words", change("spec.interval: 10 minutes"), "spec.interval in body should match"),
		Entry("with a negative interval", change("spec.interval: -10m"), "spec.interval in body should match"),
		Entry("with days, which Go does not know", change("spec.interval: 1d"), "spec.interval in body should match"),
		Entry("with an interval too long to be read", change("spec.interval: "+letters(33)), "may not be more than 32"),
		Entry("with an interval over what a duration holds", change("spec.interval: 99999999999999999999h"), "spec.interval"),
		Entry("with no time at all", change("spec.timeout: 0s"), "timeout must be greater than 0s and at most 10m"),
		Entry("with too much time", change("spec.timeout: 601s"), "timeout must be greater than 0s and at most 10m"),
		Entry("with a selector missing", change("spec.allowedNamespaces: {from: Selector}"), "selector is required when from is Selector"),
		Entry("with a selector that means nothing", change("spec.allowedNamespaces: {from: All, selector: {}}"), "selector may only be set when from is Selector"),
		Entry("with another way to share", change("spec.allowedNamespaces: {from: Some}"), `Unsupported value: "Some"`),
		Entry("with a secret without a name", change(`spec.helm.secretRef: {name: ""}`), "spec.helm.secretRef.name"),
		Entry("with equal globs", change("spec.filter.include: [web, web]"), "Duplicate value"),
		Entry("with an empty glob", change(`spec.filter.exclude: [""]`), "should be at least 1 chars"),
		Entry("with too many globs", change("spec.filter.include: "+list(101, "a%d")), "must have at most 100 items"),
		Entry("keeping no version", change("spec.filter: {maxVersions: 0}"), "should be greater than or equal to 1"),
		Entry("keeping too many versions", change("spec.filter: {maxVersions: 51}"), "should be less than or equal to 50"),
		Entry("with an unknown profile", change("spec.platform: {profile: Other}"), `Unsupported value: "Other"`),
		Entry("with platform values that are a list", change("spec.platform: {values: [1]}"), "must be of type object"),
		Entry("with parameters that are a text", change("spec.customParams: some"), "must be of type object"),
		Entry("with an unknown readiness", change("spec.readyWhen: Later"), `Unsupported value: "Later"`),
		Entry("with a name that no label of an AppInfo can hold", change("metadata.name: "+letters(64)), "metadata.name must"),
		Entry("with a dot in its name, which separates it from the app in the name of an AppInfo", change("metadata.name: a.b"), "metadata.name must"),
	)

	It("has its defaults", func() {
		o := typed[v1alpha1.MarketSource](kept(object("MarketSource", source+`
  filter: {}
  platform: {}
`)))
		Expect(o.Spec.Interval).To(BeEquivalentTo("10m"))
		Expect(o.Spec.Timeout).To(BeEquivalentTo("60s"))
		Expect(o.Spec.ReadyWhen).To(Equal(v1alpha1.ReadyWhenHydrated))
		Expect(o.Spec.Filter.MaxVersions).To(BeEquivalentTo(3))
		Expect(o.Spec.Platform.Profile).To(Equal(v1alpha1.ProfileHelm))
		Expect(o.Spec.AllowedNamespaces).To(BeNil())
		Expect(o.Status.ObservedGeneration).To(BeEquivalentTo(-1))
		Expect(o.Status.Conditions).To(BeEmpty())
	})

	It("may become another source", func() {
		o := kept(object("MarketSource", source))
		change("spec.type: Directory\nspec.helm:\nspec.directory: {path: /charts}").apply(o)
		Expect(server.Client.Update(GinkgoT().Context(), o)).To(Succeed())
	})
})
