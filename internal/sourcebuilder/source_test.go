package sourcebuilder_test

import (
	"testing"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/sourcebuilder"
)

func TestNewSource(t *testing.T) {
	ref := func(name string) *v1alpha1.LocalObjectReference { return &v1alpha1.LocalObjectReference{Name: name} }
	yes := true
	for _, c := range []struct {
		why     string
		of      sourcebuilder.Request
		want    v1alpha1.MarketSourceSpec
		command string
	}{
		{"a Helm repository", sourcebuilder.Request{Location: "https://charts.example", AllowedNamespaces: "all", Secret: "login", CertSecret: "ca"},
			v1alpha1.MarketSourceSpec{
				Type: v1alpha1.SourceTypeHelm, Helm: &v1alpha1.HelmSource{URL: "https://charts.example", SecretRef: ref("login"), CertSecretRef: ref("ca")},
				AllowedNamespaces: &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll},
			}, "kubectl market source add samples https://charts.example --namespace market --secret login --cert-secret ca --allowed-namespaces all"},
		{"charts of a registry", sourcebuilder.Request{
			Location: "oci://registry.example/charts", Charts: []string{"web", "db"}, Insecure: true, AllowedNamespaces: "team=web", RegistrySecret: "images",
		}, v1alpha1.MarketSourceSpec{
			Type: v1alpha1.SourceTypeOCI, OCI: &v1alpha1.OCISource{URL: "oci://registry.example/charts", Charts: []string{"web", "db"}, Insecure: &yes}, RegistrySecretRef: ref("images"),
			AllowedNamespaces: &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "web"}, MatchExpressions: []metav1.LabelSelectorRequirement{}}},
		}, "kubectl market source add samples oci://registry.example/charts --namespace market --charts web,db --registry-secret images --insecure --allowed-namespaces team=web"},
		{"all charts of a registry", sourcebuilder.Request{Location: "oci://registry.example/charts", AllCharts: true}, v1alpha1.MarketSourceSpec{
			Type: v1alpha1.SourceTypeOCI, OCI: &v1alpha1.OCISource{URL: "oci://registry.example/charts", AllCharts: &yes},
		}, "kubectl market source add samples oci://registry.example/charts --namespace market --all-charts"},
		{"a git repository", sourcebuilder.Request{Location: "https://git.example/charts.git", Ref: "semver:>=1.0.0", Path: "charts", Secret: "login"}, v1alpha1.MarketSourceSpec{
			Type: v1alpha1.SourceTypeGit, Git: &v1alpha1.GitSource{URL: "https://git.example/charts.git", Ref: &v1alpha1.GitReference{Semver: ">=1.0.0"}, Path: "charts", SecretRef: ref("login")},
		}, "kubectl market source add samples https://git.example/charts.git --namespace market --ref 'semver:>=1.0.0' --path charts --secret login"},
		{"a git repository over SSH", sourcebuilder.Request{Location: "ssh://git@git.example/charts", Ref: "tag:v1", Secret: "key"}, v1alpha1.MarketSourceSpec{
			Type: v1alpha1.SourceTypeGit, Git: &v1alpha1.GitSource{URL: "ssh://git@git.example/charts", Ref: &v1alpha1.GitReference{Tag: "v1"}, SecretRef: ref("key")},
		}, "kubectl market source add samples ssh://git@git.example/charts --namespace market --ref tag:v1 --secret key"},
		{"a git repository without .git", sourcebuilder.Request{Type: v1alpha1.SourceTypeGit, Location: "https://git.example/charts", Ref: "commit:0123456789012345678901234567890123456789"}, v1alpha1.MarketSourceSpec{
			Type: v1alpha1.SourceTypeGit, Git: &v1alpha1.GitSource{URL: "https://git.example/charts", Ref: &v1alpha1.GitReference{Commit: "0123456789012345678901234567890123456789"}},
		}, "kubectl market source add samples https://git.example/charts --namespace market --type git --ref commit:0123456789012345678901234567890123456789"},
		{"an app store", sourcebuilder.Request{Type: v1alpha1.SourceTypeOlares, Location: "https://store.example", SystemVersion: "1.12.6", Secret: "login"}, v1alpha1.MarketSourceSpec{
			Type: v1alpha1.SourceTypeOlares, Olares: &v1alpha1.OlaresSource{URL: "https://store.example", SystemVersion: "1.12.6", SecretRef: ref("login")},
		}, "kubectl market source add samples https://store.example --namespace market --type olares --system-version 1.12.6 --secret login"},
		{"an artifact", sourcebuilder.Request{Location: "GitRepository/charts", Path: "stable"}, v1alpha1.MarketSourceSpec{
			Type: v1alpha1.SourceTypeArtifact, Artifact: &v1alpha1.ArtifactSource{Kind: v1alpha1.ArtifactFromGitRepository, Name: "charts", Path: "stable"},
		}, "kubectl market source add samples GitRepository/charts --namespace market --path stable"},
		{"a directory", sourcebuilder.Request{
			Location: "/charts", Include: []string{"a*"}, Exclude: []string{"b"}, MaxVersions: 2, Profile: v1alpha1.ProfileOlares, Interval: "1h", AllowedNamespaces: "same",
		}, v1alpha1.MarketSourceSpec{
			Type: v1alpha1.SourceTypeDirectory, Directory: &v1alpha1.DirectorySource{Path: "/charts"}, Interval: "1h",
			Filter: &v1alpha1.AppFilter{Include: []string{"a*"}, Exclude: []string{"b"}, MaxVersions: 2}, Platform: &v1alpha1.Platform{Profile: v1alpha1.ProfileOlares},
		}, "kubectl market source add samples /charts --namespace market --include 'a*' --exclude b --max-versions 2 --profile olares --interval 1h"},
		{"a certificate and a proxy", sourcebuilder.Request{Location: "https://charts.example", CertSecret: "cert", ProxySecret: "proxy"}, v1alpha1.MarketSourceSpec{
			Type: v1alpha1.SourceTypeHelm, Helm: &v1alpha1.HelmSource{URL: "https://charts.example", CertSecretRef: ref("cert"), ProxySecretRef: ref("proxy")},
		}, "kubectl market source add samples https://charts.example --namespace market --cert-secret cert --proxy-secret proxy"},
		{"a receiver", sourcebuilder.Request{Location: "https://charts.example", Receiver: v1alpha1.ReceiverDockerHub, ReceiverSecret: "hook"}, v1alpha1.MarketSourceSpec{
			Type: v1alpha1.SourceTypeHelm, Helm: &v1alpha1.HelmSource{URL: "https://charts.example"},
			Receiver: &v1alpha1.Receiver{Type: v1alpha1.ReceiverDockerHub, SecretRef: *ref("hook")},
		}, "kubectl market source add samples https://charts.example --namespace market --receiver dockerhub --receiver-secret hook"},
		{"uploads", sourcebuilder.Request{Type: v1alpha1.SourceTypeUpload, AllowedNamespaces: "all"}, v1alpha1.MarketSourceSpec{
			Type: v1alpha1.SourceTypeUpload, Upload: &v1alpha1.UploadSource{}, AllowedNamespaces: &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll},
		}, "kubectl market source add samples --namespace market --type upload --allowed-namespaces all"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			c.of.Namespace, c.of.Name = "market", "samples"
			source, err := sourcebuilder.NewSource(c.of)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(source.Spec).To(Equal(c.want))
			read := sourcebuilder.RequestFor(source)
			again, err := sourcebuilder.NewSource(read)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(again).To(Equal(source), "the request of the source leads to the same source")
			g.Expect(sourcebuilder.AddCommand(read)).To(Equal(c.command))
		})
	}
	for _, wrong := range []sourcebuilder.Request{
		{Location: "/charts", Secret: "login"}, {Location: "https://charts.example", Charts: []string{"a"}}, {Location: "/charts", CertSecret: "ca"},
		{Location: "https://charts.example", Ref: "main"}, {Location: "/charts", Path: "a"}, {Location: "ssh://git.example/a", Ref: "head:main"},
		{Location: "https://charts.example", SystemVersion: "1"}, {Location: "Bucket/charts", Secret: "login"}, {Location: "https://charts.example", Insecure: true}, {Location: "https://charts.example", AllCharts: true}, {Location: "/charts", AllowedNamespaces: "team"},
		{Type: v1alpha1.SourceTypeUpload, Location: "/charts"}, {Type: v1alpha1.SourceTypeUpload, Secret: "login"}, {Type: v1alpha1.SourceTypeUpload, CertSecret: "ca"},
		{Location: "/charts", ProxySecret: "proxy"}, {Location: "https://charts.example", Receiver: v1alpha1.ReceiverGitHub}, {Location: "https://charts.example", ReceiverSecret: "hook"},
	} {
		_, err := sourcebuilder.NewSource(wrong)
		NewWithT(t).Expect(err).To(HaveOccurred())
	}
}

func TestSetSpecKeepsOtherFields(t *testing.T) {
	g := NewWithT(t)
	spec := v1alpha1.MarketSourceSpec{
		Type: v1alpha1.SourceTypeHelm, Helm: &v1alpha1.HelmSource{URL: "https://charts.example"}, ReadyWhen: v1alpha1.ReadyWhenSynced, Timeout: "5s",
		Platform: &v1alpha1.Platform{Profile: v1alpha1.ProfileOlares, Values: &runtime.RawExtension{Raw: []byte(`{"a":1}`)}},
	}
	g.Expect(sourcebuilder.SetSpec(&spec, sourcebuilder.Request{Location: "/charts", Profile: v1alpha1.ProfileHelm})).To(Succeed())
	g.Expect(spec).To(Equal(v1alpha1.MarketSourceSpec{
		Type: v1alpha1.SourceTypeDirectory, Directory: &v1alpha1.DirectorySource{Path: "/charts"}, ReadyWhen: v1alpha1.ReadyWhenSynced, Timeout: "5s",
		Platform: &v1alpha1.Platform{Profile: v1alpha1.ProfileHelm, Values: &runtime.RawExtension{Raw: []byte(`{"a":1}`)}},
	}))
}

func TestSetSpecKeepsUploads(t *testing.T) {
	g := NewWithT(t)
	spec := v1alpha1.MarketSourceSpec{Type: v1alpha1.SourceTypeUpload, Upload: &v1alpha1.UploadSource{MaxCharts: 5}}
	g.Expect(sourcebuilder.SetSpec(&spec, sourcebuilder.Request{Type: v1alpha1.SourceTypeUpload, Interval: "1h"})).To(Succeed())
	g.Expect(spec).To(Equal(v1alpha1.MarketSourceSpec{Type: v1alpha1.SourceTypeUpload, Upload: &v1alpha1.UploadSource{MaxCharts: 5}, Interval: "1h"}))
	g.Expect(sourcebuilder.SetSpec(&spec, sourcebuilder.Request{Location: "/charts"})).To(Succeed())
	g.Expect(spec.Upload).To(BeNil(), "another type")
}
