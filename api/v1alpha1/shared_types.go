package v1alpha1

import "time"

// Duration is a time span as Go writes it, such as 90s, 10m or 1h30m. It is kept
// as it was written, so that what is in git stays equal to what is in the cluster.
// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
// +kubebuilder:validation:MaxLength=32
type Duration string

// Or is the duration, or the fallback where it is unset or cannot be read, which
// the schema prevents.
func (d Duration) Or(fallback time.Duration) time.Duration {
	if parsed, err := time.ParseDuration(string(d)); err == nil {
		return parsed
	}
	return fallback
}

// LocalObjectReference names an object of the same namespace.
type LocalObjectReference struct {
	// name is the name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
}

// AppReference names an app of a source.
type AppReference struct {
	// source is the name of the MarketSource.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Source string `json:"source,omitempty"`

	// name is the name of the app, that of its chart.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// namespace is that of the source. Unset means the namespace of the object
	// that holds the reference.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
}

// AppInfoName is the name of the AppInfo of the app.
func (r AppReference) AppInfoName() string { return r.Source + "." + r.Name }

// ValuesKind is the kind of an object that holds values.
// +kubebuilder:validation:Enum=Secret;ConfigMap
type ValuesKind string

const (
	// ValuesFromSecret reads a Secret.
	ValuesFromSecret ValuesKind = "Secret"
	// ValuesFromConfigMap reads a ConfigMap.
	ValuesFromConfigMap ValuesKind = "ConfigMap"
)

// ValuesReference names values in an object of the same namespace. It is read as
// the tenant's service account.
type ValuesReference struct {
	// kind is Secret or ConfigMap.
	// +required
	Kind ValuesKind `json:"kind,omitempty"`

	// name is the name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// key is the entry that holds the values as YAML.
	// +optional
	// +default="values.yaml"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key,omitempty"`

	// optional says that the object or the key may be missing. Unset means false.
	// +optional
	Optional *bool `json:"optional,omitempty"`
}

// EnvVar is a value for a required input of an app.
// +kubebuilder:validation:XValidation:rule="has(self.value) != has(self.valueFrom)",message="exactly one of value and valueFrom must be set"
type EnvVar struct {
	// name is that of the input.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// value is the value as text. It is stored in the object: for a secret use
	// valueFrom.
	// +optional
	// +kubebuilder:validation:MinLength=0
	// +kubebuilder:validation:MaxLength=16384
	Value *string `json:"value,omitempty"`

	// valueFrom reads the value from a Secret or a ConfigMap of the same
	// namespace, as the tenant's service account.
	// +optional
	ValueFrom *EnvVarSource `json:"valueFrom,omitempty"`
}

// EnvVarSource says where a value is read.
// +kubebuilder:validation:XValidation:rule="[has(self.secretKeyRef), has(self.configMapKeyRef), has(self.outputRef)].filter(x, x).size() == 1",message="exactly one of secretKeyRef, configMapKeyRef and outputRef must be set"
type EnvVarSource struct {
	// secretKeyRef is a key of a Secret.
	// +optional
	SecretKeyRef *KeyReference `json:"secretKeyRef,omitempty"`

	// configMapKeyRef is a key of a ConfigMap.
	// +optional
	ConfigMapKeyRef *KeyReference `json:"configMapKeyRef,omitempty"`

	// outputRef is an output of another AppInstance: name is that of the instance,
	// key that of an entry of its status.outputs.
	// +optional
	OutputRef *KeyReference `json:"outputRef,omitempty"`
}

// Output is what other apps can use of an instance.
type Output struct {
	// name is such as "version" or "entrances.web.host".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// value is the value.
	// +required
	// +kubebuilder:validation:MaxLength=2048
	Value string `json:"value"`
}

// EntranceTitle gives an entrance of an app a title.
type EntranceTitle struct {
	// name is that of the entrance within the app.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// title is what people read, at most 30 characters and unique in the
	// namespace. These are checked by the task, so that a form is told of all
	// titles at once.
	// +required
	// +kubebuilder:validation:MaxLength=200
	Title string `json:"title"`
}

// KeyReference names a key of an object of the same namespace.
type KeyReference struct {
	// name is the name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// key is the entry.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key,omitempty"`
}

// DataPolicy says what becomes of volumes when an instance is removed.
// +kubebuilder:validation:Enum=Retain;Delete
type DataPolicy string

const (
	// DataRetain keeps the volume claims and lists them in the instance.
	DataRetain DataPolicy = "Retain"
	// DataDelete removes them.
	DataDelete DataPolicy = "Delete"
)

// Entrance is a way into an app.
type Entrance struct {
	// name is its name within the app.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// title is what people read.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	Title string `json:"title,omitempty"`

	// host is the name of the Service.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Host string `json:"host,omitempty"`

	// port is that of the Service.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`

	// invisible says that it is not meant to be shown to people.
	// +optional
	Invisible bool `json:"invisible,omitempty"`
}

// Input is a value that the person who installs an app may or must give.
type Input struct {
	// name is the name to give it under, in spec.envs.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// type is string, bool, password, url, email, int or domain.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Type string `json:"type,omitempty"`

	// title is what a form shows.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	Title string `json:"title,omitempty"`

	// description explains it.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// default is used where nothing is given. Never set for a password.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Default string `json:"default,omitempty"`

	// options are the values that may be given; empty means any.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	Options []InputOption `json:"options,omitempty"`

	// pattern is a regular expression that the value must match. It may use
	// look-ahead.
	// +optional
	// +kubebuilder:validation:MaxLength=1000
	Pattern string `json:"pattern,omitempty"`

	// minimum is the least number that may be given. If not specified, there is no
	// least number.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Minimum string `json:"minimum,omitempty"`

	// maximum is the greatest number that may be given. If not specified, there is no
	// greatest number.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Maximum string `json:"maximum,omitempty"`

	// minLength is the least number of characters of a text. If not specified, a text
	// may be of any length.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MinLength *int64 `json:"minLength,omitempty"`

	// maxLength is the greatest number of characters of a text. If not specified, a
	// text may be of any length.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MaxLength *int64 `json:"maxLength,omitempty"`

	// showIf is a condition on other inputs, such as
	// "service.type=NodePort&&tls!=true". While the condition does not hold, the input
	// is not required. If not specified, the input is always shown.
	// +optional
	// +kubebuilder:validation:MaxLength=1000
	ShowIf string `json:"showIf,omitempty"`

	// secret says that the value must not be shown.
	// +optional
	Secret bool `json:"secret,omitempty"`

	// required says that the app does not work without it.
	// +optional
	Required bool `json:"required,omitempty"`

	// problem says what is wrong: that it is missing, or why the value that was
	// given does not fit. Only set in a task.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Problem string `json:"problem,omitempty"`
}

// InputOption is one of the values that may be given for an input.
type InputOption struct {
	// title is what a form shows.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	Title string `json:"title,omitempty"`

	// value is what the app gets.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	Value string `json:"value"`
}

// ObjectReference names an object of any kind.
type ObjectReference struct {
	// apiVersion is group and version.
	// +required
	// +kubebuilder:validation:MaxLength=253
	APIVersion string `json:"apiVersion,omitempty"`

	// kind is the kind.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`

	// namespace is empty for an object of the cluster.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// name is the name.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
}

// String is such as Deployment/web.
func (r ObjectReference) String() string { return r.Kind + "/" + r.Name }

// Attempt counts how often work was begun, for the same inputs, without a result.
type Attempt struct {
	// inputs is the digest of what the work is done with. Other inputs count from zero.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Inputs string `json:"inputs,omitempty"`

	// begun is how often in a row the work was begun. After three times without a result it is
	// not begun again until another request is made.
	// +required
	// +kubebuilder:validation:Minimum=1
	Begun int32 `json:"begun,omitempty"`

	// request is the value of the annotation appmarket.io/reconcile-requested-at when the work
	// was begun. Another request counts from zero.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Request string `json:"request,omitempty"`

	// process identifies the process of the operator that began the work last. An attempt of
	// another process was cut off.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Process string `json:"process,omitempty"`
}
