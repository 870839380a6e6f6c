package v1alpha1

// ArtifactKind is the kind of an object of Flux that has an artifact.
// +kubebuilder:validation:Enum=GitRepository;OCIRepository;Bucket;HelmChart
type ArtifactKind string

const (
	// ArtifactFromGitRepository reads the files of a git repository.
	ArtifactFromGitRepository ArtifactKind = "GitRepository"
	// ArtifactFromOCIRepository reads the files of an artifact in an OCI registry.
	ArtifactFromOCIRepository ArtifactKind = "OCIRepository"
	// ArtifactFromBucket reads the files of a bucket.
	ArtifactFromBucket ArtifactKind = "Bucket"
	// ArtifactFromHelmChart reads one chart.
	ArtifactFromHelmChart ArtifactKind = "HelmChart"
)

// ArtifactSource specifies the artifact of an object of Flux in the same namespace.
// +kubebuilder:validation:XValidation:rule="self.kind != 'HelmChart' || !has(self.path)",message="path may not be set when kind is HelmChart"
type ArtifactSource struct {
	// kind specifies the kind of the object: GitRepository, OCIRepository, Bucket or HelmChart. The API
	// group is source.toolkit.fluxcd.io.
	// +required
	Kind ArtifactKind `json:"kind,omitempty"`

	// name specifies the name of the object. The source is synchronized when the artifact of the object
	// changes, and at its interval.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:Pattern=`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`
	Name string `json:"name,omitempty"`

	// path specifies the directory of the artifact that contains the charts, relative to its root. Each
	// directory in it that contains a Chart.yaml is a version of an app. If the directory itself
	// contains a Chart.yaml, it is the only app. It cannot be set if kind is HelmChart. If not
	// specified, it is the root of the artifact.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	// +kubebuilder:validation:XValidation:rule="!self.startsWith('/') && !self.split('/').exists(part, part == '..')",message="path must be relative, and must not contain .."
	Path string `json:"path,omitempty"`
}
