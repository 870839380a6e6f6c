// Package sourcebuilder turns the request of a user into a MarketSource, and a MarketSource into the
// command that adds it.
//
// The web pages and the kubectl plugin build sources here, so that the same request leads to the same
// object in both. The package reads no cluster and writes nothing. It does not check what the API
// server checks.
package sourcebuilder

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Request describes a source that a user requests.
type Request struct {
	Namespace, Name string
	// Type defaults to the type of the location.
	Type v1alpha1.SourceType
	// Location is the URL of a Helm repository, of a registry, of a git repository or of an app store, the kind and name
	// of an object of Flux as KIND/NAME, or the absolute path of a directory.
	// A source of type Upload has none.
	Location string
	// Ref selects the commit of a git repository, as ParseRef reads it, and Path is the directory with
	// the charts in it or in the artifact of an object of Flux.
	Ref, Path string
	// SystemVersion is the version of Olares for which an app store lists its apps.
	SystemVersion string
	// Charts are the names of the charts below the URL of a registry.
	Charts []string
	// AllCharts offers all charts below the URL of a registry.
	AllCharts bool
	// Secret contains the credentials of the repository or registry, CertSecret its CA certificates and
	// the client certificate, ProxySecret the proxy, and RegistrySecret the credentials of the
	// registries of images.
	Secret, CertSecret, ProxySecret, RegistrySecret string
	// Insecure allows a registry over HTTP.
	Insecure bool
	// AllowedNamespaces is same, all or a label selector.
	AllowedNamespaces string
	Include, Exclude  []string
	MaxVersions       int32
	// Versions is a range of versions, and Prereleases specifies whether prereleases are included.
	Versions    string
	Prereleases *bool
	Profile     v1alpha1.PlatformProfile
	Interval    v1alpha1.Duration
	// Receiver is the kind of server that reports changes, and ReceiverSecret contains its token.
	Receiver       v1alpha1.ReceiverType
	ReceiverSecret string
	// Verify specifies the signature that charts must have.
	Verify VerifyRequest
}

// NewSource returns the source of a request. It returns an error if the request has a field that the
// type of the source does not have.
func NewSource(r Request) (*v1alpha1.MarketSource, error) {
	source := &v1alpha1.MarketSource{
		TypeMeta:   metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "MarketSource"},
		ObjectMeta: metav1.ObjectMeta{Namespace: r.Namespace, Name: r.Name},
	}
	return source, SetSpec(&source.Spec, r)
}

// SetSpec sets the fields of a spec that a request has, and keeps the others.
func SetSpec(spec *v1alpha1.MarketSourceSpec, r Request) error {
	if r.Type == "" {
		r.Type = TypeOfLocation(r.Location)
	}
	if err := r.checkType(); err != nil {
		return err
	}
	allowed, err := ParseAllowedNamespaces(r.AllowedNamespaces)
	if err != nil {
		return err
	}
	if err := r.Verify.setSpec(spec); err != nil {
		return err
	}
	if err := r.setMember(spec); err != nil {
		return err
	}
	spec.Type, spec.AllowedNamespaces, spec.Interval, spec.RegistrySecretRef = r.Type, allowed, r.Interval, refOf(r.RegistrySecret)
	spec.Receiver = nil
	if r.Receiver != "" {
		spec.Receiver = &v1alpha1.Receiver{Type: r.Receiver, SecretRef: v1alpha1.LocalObjectReference{Name: r.ReceiverSecret}}
	}
	setProfile(spec, r.Profile)
	spec.Filter = r.newFilter()
	return nil
}

// setMember sets the member of the type, and removes the members of other types.
func (r Request) setMember(spec *v1alpha1.MarketSourceSpec) error {
	upload := spec.Upload
	spec.Helm, spec.OCI, spec.Git, spec.Olares, spec.Artifact, spec.Directory = nil, nil, nil, nil, nil, nil
	spec.Upload = nil
	secret, cert, proxy := refOf(r.Secret), refOf(r.CertSecret), refOf(r.ProxySecret)
	switch r.Type {
	case v1alpha1.SourceTypeHelm:
		spec.Helm = &v1alpha1.HelmSource{URL: r.Location, SecretRef: secret, CertSecretRef: cert, ProxySecretRef: proxy}
	case v1alpha1.SourceTypeOCI:
		spec.OCI = &v1alpha1.OCISource{URL: r.Location, Charts: r.Charts, SecretRef: secret, CertSecretRef: cert, ProxySecretRef: proxy}
		if r.AllCharts {
			spec.OCI.AllCharts = &r.AllCharts
		}
		if r.Insecure {
			spec.OCI.Insecure = &r.Insecure
		}
	case v1alpha1.SourceTypeGit:
		ref, err := ParseRef(r.Ref)
		if err != nil {
			return err
		}
		spec.Git = &v1alpha1.GitSource{URL: r.Location, Ref: ref, Path: r.Path, SecretRef: secret, CertSecretRef: cert, ProxySecretRef: proxy}
	case v1alpha1.SourceTypeOlares:
		spec.Olares = &v1alpha1.OlaresSource{URL: r.Location, SystemVersion: r.SystemVersion, SecretRef: secret, CertSecretRef: cert, ProxySecretRef: proxy}
	case v1alpha1.SourceTypeArtifact:
		kind, name, _ := strings.Cut(r.Location, "/")
		spec.Artifact = &v1alpha1.ArtifactSource{Kind: v1alpha1.ArtifactKind(kind), Name: name, Path: r.Path}
	case v1alpha1.SourceTypeDirectory:
		spec.Directory = &v1alpha1.DirectorySource{Path: r.Location}
	case v1alpha1.SourceTypeUpload:
		if spec.Upload = upload; upload == nil {
			spec.Upload = &v1alpha1.UploadSource{}
		}
	}
	return nil
}

// newFilter returns the filter of a request, nil if it has none.
func (r Request) newFilter() *v1alpha1.AppFilter {
	if len(r.Include)+len(r.Exclude) == 0 && r.MaxVersions == 0 && r.Versions == "" && r.Prereleases == nil {
		return nil
	}
	return &v1alpha1.AppFilter{
		Include: r.Include, Exclude: r.Exclude, MaxVersions: r.MaxVersions, Versions: r.Versions, Prereleases: r.Prereleases,
	}
}

// setProfile sets the platform profile, and keeps the values of the platform.
func setProfile(spec *v1alpha1.MarketSourceSpec, profile v1alpha1.PlatformProfile) {
	switch {
	case profile != "" && spec.Platform == nil:
		spec.Platform = &v1alpha1.Platform{Profile: profile}
	case spec.Platform == nil:
	case profile == "" && spec.Platform.Values == nil:
		spec.Platform = nil
	default:
		spec.Platform.Profile = profile
	}
}

// checkType returns an error if a request has a field that its type does not have.
func (r Request) checkType() error {
	if r.Type == v1alpha1.SourceTypeUpload && r.Location != "" {
		return fmt.Errorf("%s: a source of type %s has no location", r.Location, r.Type)
	}
	isRemote := !slices.Contains([]v1alpha1.SourceType{v1alpha1.SourceTypeDirectory, v1alpha1.SourceTypeArtifact, v1alpha1.SourceTypeUpload}, r.Type)
	for _, field := range []struct {
		flag, what     string
		given, allowed bool
	}{
		{"ref", "no commits", r.Ref != "", r.Type == v1alpha1.SourceTypeGit},
		{"path", "no path below its location", r.Path != "", r.Type == v1alpha1.SourceTypeGit || r.Type == v1alpha1.SourceTypeArtifact},
		{"system-version", "no version of Olares", r.SystemVersion != "", r.Type == v1alpha1.SourceTypeOlares},
		{"charts", "no list of charts", len(r.Charts) > 0, r.Type == v1alpha1.SourceTypeOCI},
		{"all-charts", "no registry", r.AllCharts, r.Type == v1alpha1.SourceTypeOCI},
		{"secret", "no credentials", r.Secret != "", isRemote},
		{"cert-secret", "no certificates", r.CertSecret != "", isRemote},
		{"proxy-secret", "no proxy", r.ProxySecret != "", isRemote},
		{"insecure", "no registry", r.Insecure, r.Type == v1alpha1.SourceTypeOCI},
	} {
		if field.given && !field.allowed {
			return fmt.Errorf("--%s: a source of type %s has %s", field.flag, r.Type, field.what)
		}
	}
	if (r.Receiver != "") != (r.ReceiverSecret != "") {
		return errors.New("--receiver and --receiver-secret must be specified together")
	}
	return nil
}

// RequestFor returns the request that leads to the spec of a source, apart from fields that no request
// has.
func RequestFor(source *v1alpha1.MarketSource) Request {
	spec := &source.Spec
	r := Request{
		Namespace: source.Namespace, Name: source.Name, Type: spec.Type, RegistrySecret: nameOf(spec.RegistrySecretRef),
		AllowedNamespaces: AllowedNamespacesText(spec.AllowedNamespaces), Interval: spec.Interval, Verify: verifyRequestFor(spec.Verify),
	}
	if spec.Receiver != nil {
		r.Receiver, r.ReceiverSecret = spec.Receiver.Type, spec.Receiver.SecretRef.Name
	}
	switch {
	case spec.Helm != nil:
		r.Location, r.Secret = spec.Helm.URL, nameOf(spec.Helm.SecretRef)
		r.CertSecret, r.ProxySecret = nameOf(spec.Helm.CertSecretRef), nameOf(spec.Helm.ProxySecretRef)
	case spec.OCI != nil:
		r.Location, r.Secret = spec.OCI.URL, nameOf(spec.OCI.SecretRef)
		r.CertSecret, r.ProxySecret = nameOf(spec.OCI.CertSecretRef), nameOf(spec.OCI.ProxySecretRef)
		r.Charts, r.AllCharts = slices.Clone(spec.OCI.Charts), spec.OCI.AllCharts != nil && *spec.OCI.AllCharts
		r.Insecure = spec.OCI.Insecure != nil && *spec.OCI.Insecure
	case spec.Git != nil:
		r.Location, r.Secret = spec.Git.URL, nameOf(spec.Git.SecretRef)
		r.CertSecret, r.ProxySecret = nameOf(spec.Git.CertSecretRef), nameOf(spec.Git.ProxySecretRef)
		r.Ref, r.Path = RefText(spec.Git.Ref), spec.Git.Path
	case spec.Olares != nil:
		r.Location, r.Secret = spec.Olares.URL, nameOf(spec.Olares.SecretRef)
		r.CertSecret, r.ProxySecret = nameOf(spec.Olares.CertSecretRef), nameOf(spec.Olares.ProxySecretRef)
		r.SystemVersion = spec.Olares.SystemVersion
	case spec.Artifact != nil:
		r.Location, r.Path = string(spec.Artifact.Kind)+"/"+spec.Artifact.Name, spec.Artifact.Path
	case spec.Directory != nil:
		r.Location = spec.Directory.Path
	}
	if spec.Platform != nil {
		r.Profile = spec.Platform.Profile
	}
	if spec.Filter != nil {
		r.Include, r.Exclude, r.MaxVersions = slices.Clone(spec.Filter.Include), slices.Clone(spec.Filter.Exclude), spec.Filter.MaxVersions
		r.Versions, r.Prereleases = spec.Filter.Versions, spec.Filter.Prereleases
	}
	return r
}

// artifactKinds are the kinds of objects of Flux in locations.
var artifactKinds = []v1alpha1.ArtifactKind{
	v1alpha1.ArtifactFromGitRepository, v1alpha1.ArtifactFromOCIRepository, v1alpha1.ArtifactFromBucket, v1alpha1.ArtifactFromHelmChart,
}

// TypeOfLocation returns the type of a source by its location.
func TypeOfLocation(location string) v1alpha1.SourceType {
	switch {
	case strings.HasPrefix(location, "/"):
		return v1alpha1.SourceTypeDirectory
	case strings.HasPrefix(location, "oci://"):
		return v1alpha1.SourceTypeOCI
	case strings.HasPrefix(location, "ssh://"), strings.HasSuffix(location, ".git"):
		return v1alpha1.SourceTypeGit
	}
	if kind, _, isObject := strings.Cut(location, "/"); isObject && slices.Contains(artifactKinds, v1alpha1.ArtifactKind(kind)) {
		return v1alpha1.SourceTypeArtifact
	}
	return v1alpha1.SourceTypeHelm
}

// ParseAllowedNamespaces parses same, all or a label selector of namespaces. An empty text means same.
func ParseAllowedNamespaces(text string) (*v1alpha1.AllowedNamespaces, error) {
	switch strings.ToLower(text) {
	case "", "same":
		return nil, nil
	case "all":
		return &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll}, nil
	}
	selector, err := metav1.ParseToLabelSelector(text)
	if err != nil || !strings.ContainsAny(text, "=! ") {
		return nil, fmt.Errorf("--allowed-namespaces %s: must be same, all or a label selector such as team=web", text)
	}
	return &v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector, Selector: selector}, nil
}

// AllowedNamespacesText returns the text from which ParseAllowedNamespaces returns the same namespaces.
func AllowedNamespacesText(allowed *v1alpha1.AllowedNamespaces) string {
	switch {
	case allowed == nil || allowed.From == v1alpha1.NamespacesFromSame:
		return "same"
	case allowed.From == v1alpha1.NamespacesFromAll:
		return "all"
	}
	return metav1.FormatLabelSelector(allowed.Selector)
}

func refOf(name string) *v1alpha1.LocalObjectReference {
	if name == "" {
		return nil
	}
	return &v1alpha1.LocalObjectReference{Name: name}
}

func nameOf(ref *v1alpha1.LocalObjectReference) string {
	if ref == nil {
		return ""
	}
	return ref.Name
}
