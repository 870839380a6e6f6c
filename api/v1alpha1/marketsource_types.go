package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// SourceType says how a source is spoken to.
// +kubebuilder:validation:Enum=Helm;Directory
type SourceType string

const (
	// SourceTypeHelm is a Helm repository over HTTP, with an index.yaml.
	SourceTypeHelm SourceType = "Helm"
	// SourceTypeDirectory is a folder on a volume of the operator.
	SourceTypeDirectory SourceType = "Directory"
)

// SourceReadiness says when a source counts as ready.
// +kubebuilder:validation:Enum=Synced;Hydrated
type SourceReadiness string

const (
	// ReadinessSynced means ready as soon as every app has its AppInfo.
	ReadinessSynced SourceReadiness = "Synced"
	// ReadinessHydrated means ready once every app that is not suspended is served
	// or has failed; status.failures tells of the failed ones.
	ReadinessHydrated SourceReadiness = "Hydrated"
)

// MarketSourceSpec says where apps come from and how they are treated.
// +kubebuilder:validation:XValidation:rule="self.type != 'Helm' || has(self.helm)",message="helm is required when type is Helm"
// +kubebuilder:validation:XValidation:rule="self.type == 'Helm' || !has(self.helm)",message="helm may only be set when type is Helm"
// +kubebuilder:validation:XValidation:rule="self.type != 'Directory' || has(self.directory)",message="directory is required when type is Directory"
// +kubebuilder:validation:XValidation:rule="self.type == 'Directory' || !has(self.directory)",message="directory may only be set when type is Directory"
type MarketSourceSpec struct {
	// type says which of the members below is set.
	// +required
	Type SourceType `json:"type,omitempty"`

	// helm is a Helm repository over HTTP.
	// +optional
	Helm *HelmSource `json:"helm,omitempty"`

	// directory is a folder that the operator can read.
	// +optional
	Directory *DirectorySource `json:"directory,omitempty"`

	// interval is the time between two looks at the source, at least 10s; up to a
	// tenth is added or taken off so that sources do not move in step.
	// +optional
	// +default="10m"
	// +kubebuilder:validation:XValidation:rule="duration(self) >= duration('10s')",message="interval must be at least 10s"
	Interval Duration `json:"interval,omitempty"`

	// timeout bounds one request to the source, at most 10m.
	// +optional
	// +default="60s"
	// +kubebuilder:validation:XValidation:rule="duration(self) > duration('0s') && duration(self) <= duration('10m')",message="timeout must be above 0s and at most 10m"
	Timeout Duration `json:"timeout,omitempty"`

	// suspend stops all work for the source; what is published stays served.
	// Unset means false.
	// +optional
	Suspend *bool `json:"suspend,omitempty"`

	// secretRef names a Secret of this namespace with the keys username and
	// password, or token (sent as a bearer token). They are sent to the address
	// of the source only, never to another host that it names or redirects to.
	// +optional
	SecretRef *LocalObjectReference `json:"secretRef,omitempty"`

	// certSecretRef names a Secret of this namespace whose key ca.crt holds the
	// certificates (PEM) that the source's server is checked against, beside those
	// of the system.
	// +optional
	CertSecretRef *LocalObjectReference `json:"certSecretRef,omitempty"`

	// sharing says which other namespaces may use the apps of this source. Unset
	// means that only its own namespace may.
	// +optional
	Sharing *Sharing `json:"sharing,omitempty"`

	// include takes in only apps whose name matches one of these globs, such as
	// "gitea" or "ollama*". Unset means all.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Include []string `json:"include,omitempty"`

	// exclude leaves out apps whose name matches one of these globs. It counts
	// more than include.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MaxItems=100
	// +kubebuilder:validation:items:MinLength=1
	// +kubebuilder:validation:items:MaxLength=253
	Exclude []string `json:"exclude,omitempty"`

	// versions says which versions of each app are hydrated.
	// +optional
	Versions *VersionPolicy `json:"versions,omitempty"`

	// platform is what the charts of this source are rendered with.
	// +optional
	Platform *Platform `json:"platform,omitempty"`

	// customParams are merged into values.yaml of every published chart; null
	// removes a key. They are public: whoever may read the repository sees them.
	// +optional
	// +kubebuilder:pruning:PreserveUnknownFields
	CustomParams *runtime.RawExtension `json:"customParams,omitempty"`

	// envs are inputs that every app of this source gets where it asks for one of
	// the name, unless the tenant gives its own. Values from Secrets and ConfigMaps
	// are read in the namespace of the source.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=100
	Envs []EnvVar `json:"envs,omitempty"`

	// licensing says who issues the credentials of apps that must be bought. An
	// app whose issuer is not named here cannot be installed.
	// +optional
	// +listType=map
	// +listMapKey=issuer
	// +kubebuilder:validation:MaxItems=50
	Licensing []LicenseIssuer `json:"licensing,omitempty"`

	// readiness says when the source counts as ready.
	// +optional
	// +default="Hydrated"
	Readiness SourceReadiness `json:"readiness,omitempty"`
}

// MarketSourceStatus is what is known of a source.
type MarketSourceStatus struct {
	// conditions are Ready and, in order, Reached and Indexed; Reconciling and
	// Stalled while they are true.
	// +optional
	// +listType=map
	// +listMapKey=type
	// +kubebuilder:validation:MaxItems=16
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// observedGeneration is the generation of the spec that the status speaks of.
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// lastHandledReconcileAt is the last value of the annotation
	// appmarket.io/reconcile-requested-at that was carried out.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	LastHandledReconcileAt string `json:"lastHandledReconcileAt,omitempty"`

	// revision is the digest of what the source offers.
	// +optional
	// +kubebuilder:validation:MaxLength=128
	Revision string `json:"revision,omitempty"`

	// etag is the validator that the source's server gave for its index: its ETag,
	// or otherwise the time of its last change.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	ETag string `json:"etag,omitempty"`

	// lastSyncTime is when the source last offered something new.
	// +optional
	LastSyncTime *metav1.Time `json:"lastSyncTime,omitempty"`

	// apps counts the apps of the source.
	// +optional
	Apps *AppCounts `json:"apps,omitempty"`

	// failures are the first 20 apps, by name, that could not be hydrated, or that
	// have entries which are not usable.
	// +optional
	// +listType=map
	// +listMapKey=app
	// +kubebuilder:validation:MaxItems=20
	Failures []AppFailure `json:"failures,omitempty"`

	// repositoryURL is the address for helm repo add.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	RepositoryURL string `json:"repositoryURL,omitempty"`

	// attempt is the listing that was begun and has no result. It is noted before the source is
	// asked and removed when the answer was dealt with, so what is left after a restart was cut off.
	// +optional
	Attempt *Attempt `json:"attempt,omitempty"`
}

// AppCounts counts the apps of a source.
type AppCounts struct {
	// total counts all apps, each once: those that are offered, and those of which
	// no entry of the source is usable.
	// +required
	Total int32 `json:"total"`
	// offered counts the apps that have a usable entry, and so an AppInfo.
	// +optional
	Offered int32 `json:"offered,omitempty"`
	// ready counts those that are served.
	// +required
	Ready int32 `json:"ready"`
	// failed counts the apps that could not be listed or hydrated, each once. An app
	// of which an older version is served counts as ready, too.
	// +required
	Failed int32 `json:"failed"`
	// skipped counts the entries of the source that are not usable. An app may have
	// several of them, and be served all the same.
	// +required
	Skipped int32 `json:"skipped"`
	// suspended counts those that are suspended.
	// +required
	Suspended int32 `json:"suspended"`
	// withdrawn counts those that the source no longer offers to new users.
	// +required
	Withdrawn int32 `json:"withdrawn"`
}

// AppFailure is an app that could not be hydrated, or has entries that are not
// usable.
type AppFailure struct {
	// app is its name.
	// +required
	// +kubebuilder:validation:MaxLength=253
	App string `json:"app,omitempty"`
	// step is the milestone that failed, such as Rendered; Indexed for an app that
	// could not be listed.
	// +required
	// +kubebuilder:validation:MaxLength=64
	Step string `json:"step,omitempty"`
	// reason is that of the failed condition.
	// +required
	// +kubebuilder:validation:MaxLength=128
	Reason string `json:"reason,omitempty"`
	// message says what went wrong and what to do.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Message string `json:"message,omitempty"`
}

// MarketSource says where apps come from: a Helm repository or a folder. Every
// app of it becomes an AppInfo in the same namespace.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=msrc,categories=market
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 63",message="metadata.name must have at most 63 characters, since it is a label of its apps"
// +kubebuilder:validation:XValidation:rule="!self.metadata.name.contains('.')",message="metadata.name must not contain a dot, which ends it in the names of its apps"
// +kubebuilder:printcolumn:name="Type",type=string,JSONPath=`.spec.type`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Apps",type=integer,JSONPath=`.status.apps.total`
// +kubebuilder:printcolumn:name="Served",type=integer,JSONPath=`.status.apps.ready`
// +kubebuilder:printcolumn:name="Failed",type=integer,JSONPath=`.status.apps.failed`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Status",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].message`
// +kubebuilder:printcolumn:name="Suspended",type=boolean,JSONPath=`.spec.suspend`,priority=1
// +kubebuilder:printcolumn:name="Repository",type=string,JSONPath=`.status.repositoryURL`,priority=1
type MarketSource struct {
	metav1.TypeMeta `json:",inline"`

	// metadata is the standard metadata of an object.
	// +optional
	metav1.ObjectMeta `json:"metadata,omitempty"`

	// spec says where apps come from.
	// +required
	Spec MarketSourceSpec `json:"spec,omitzero"`

	// status is what is known of the source.
	// +optional
	// +default={"observedGeneration": -1}
	Status MarketSourceStatus `json:"status,omitzero"`
}

// MarketSourceList is a list of sources.
// +kubebuilder:object:root=true
type MarketSourceList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	// items are the sources.
	Items []MarketSource `json:"items"`
}
