package v1alpha1

import "time"

// Duration is a length of time in the format of Go, such as 90s, 10m or 1h30m. It is stored as
// written, so that GitOps tools do not detect a difference.
// +kubebuilder:validation:Pattern=`^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`
// +kubebuilder:validation:MaxLength=32
type Duration string

// Or returns the duration, or the fallback if the duration is not set or is invalid. The schema
// rejects invalid durations.
func (d Duration) Or(fallback time.Duration) time.Duration {
	if parsed, err := time.ParseDuration(string(d)); err == nil {
		return parsed
	}
	return fallback
}

// LocalObjectReference refers to an object in the same namespace.
type LocalObjectReference struct {
	// name is the name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
}

// AppReference refers to an app of a MarketSource.
type AppReference struct {
	// source is the name of the MarketSource.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Source string `json:"source,omitempty"`

	// name is the name of the app, which is the name of its chart.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// namespace specifies the namespace of the MarketSource. Defaults to the namespace of the
	// object that contains the reference.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`
}

// AppInfoName returns the name of the AppInfo of the app.
func (r AppReference) AppInfoName() string { return r.Source + "." + r.Name }

// ValuesKind is the kind of an object that contains Helm values.
// +kubebuilder:validation:Enum=Secret;ConfigMap
type ValuesKind string

const (
	// ValuesFromSecret reads values from a Secret.
	ValuesFromSecret ValuesKind = "Secret"
	// ValuesFromConfigMap reads values from a ConfigMap.
	ValuesFromConfigMap ValuesKind = "ConfigMap"
)

// ValuesReference refers to Helm values in a Secret or ConfigMap in the same namespace. The
// object is read with the permissions of the service account of the instance.
type ValuesReference struct {
	// kind specifies the kind of the object: Secret or ConfigMap.
	// +required
	Kind ValuesKind `json:"kind,omitempty"`

	// name specifies the name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// key specifies the key in the object that contains the values as YAML. Defaults to
	// values.yaml.
	// +optional
	// +default="values.yaml"
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key,omitempty"`

	// optional specifies whether the object or the key may be missing. Defaults to false.
	// +optional
	Optional *bool `json:"optional,omitempty"`
}

// InputValue specifies the value of an input of an app. Exactly one of value and valueFrom must be
// set.
// +kubebuilder:validation:XValidation:rule="has(self.value) != has(self.valueFrom)",message="exactly one of value and valueFrom must be set"
type InputValue struct {
	// name specifies the name of the input.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// value specifies the value as text. It is stored in the object in plain text; use
	// valueFrom for confidential values.
	// +optional
	// +kubebuilder:validation:MinLength=0
	// +kubebuilder:validation:MaxLength=16384
	Value *string `json:"value,omitempty"`

	// valueFrom specifies the source of the value in the same namespace. For an AppInstance or
	// an AppInstallTask, it is read with the permissions of the service account.
	// +optional
	ValueFrom *InputValueSource `json:"valueFrom,omitempty"`
}

// InputValueSource specifies the source of a value. Exactly one of its fields must be set.
// +kubebuilder:validation:XValidation:rule="[has(self.secretKeyRef), has(self.configMapKeyRef), has(self.outputRef)].filter(x, x).size() == 1",message="exactly one of secretKeyRef, configMapKeyRef and outputRef must be set"
type InputValueSource struct {
	// secretKeyRef refers to a key of a Secret.
	// +optional
	SecretKeyRef *KeyReference `json:"secretKeyRef,omitempty"`

	// configMapKeyRef refers to a key of a ConfigMap.
	// +optional
	ConfigMapKeyRef *KeyReference `json:"configMapKeyRef,omitempty"`

	// outputRef refers to an output of another AppInstance. Its name is the name of the
	// AppInstance, and its key is the name of an entry in status.outputs.
	// +optional
	OutputRef *KeyReference `json:"outputRef,omitempty"`
}

// Output is a value that an AppInstance provides to other AppInstances.
type Output struct {
	// name is the name of the output, such as "version" or "entrances.web.host".
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// value is the value of the output.
	// +required
	// +kubebuilder:validation:MaxLength=2048
	Value string `json:"value"`
}

// EntranceTitle specifies the title of an entrance of an app.
type EntranceTitle struct {
	// name specifies the name of the entrance in the app.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// title specifies the title. If a task clones an instance, the title must have at most 30
	// characters and be unique in the namespace. The task checks this instead of the schema, so
	// that all invalid titles are reported together.
	// +required
	// +kubebuilder:validation:MaxLength=200
	Title string `json:"title"`
}

// KeyReference refers to a key of an object in the same namespace.
type KeyReference struct {
	// name specifies the name of the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// key specifies the key in the object.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Key string `json:"key,omitempty"`
}

// DataPolicy specifies whether PersistentVolumeClaims are retained when an instance is
// uninstalled.
// +kubebuilder:validation:Enum=Retain;Delete
type DataPolicy string

const (
	// DataRetain retains the PersistentVolumeClaims and lists them in status.retainedObjects of the
	// instance.
	DataRetain DataPolicy = "Retain"
	// DataDelete deletes the PersistentVolumeClaims.
	DataDelete DataPolicy = "Delete"
)

// AppEntrance is a user-facing endpoint that an app declares.
type AppEntrance struct {
	// name is the name of the entrance in the app.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// title is the display name of the entrance.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	Title string `json:"title,omitempty"`

	// host is the name of the Service.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Host string `json:"host,omitempty"`

	// port is the port of the Service.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`

	// hidden indicates whether the entrance is hidden from users.
	// +optional
	Hidden bool `json:"hidden,omitempty"`
}

// Entrance is a user-facing endpoint of an installed app.
type Entrance struct {
	// name is the name of the entrance in the app. For an entrance that the app does not declare,
	// it is the name of the object that provides it.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name,omitempty"`

	// title is the display name of the entrance.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	Title string `json:"title,omitempty"`

	// host is the name of the Service.
	// +optional
	// +kubebuilder:validation:MaxLength=253
	Host string `json:"host,omitempty"`

	// port is the port of the Service.
	// +optional
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`

	// url is the address at which users can open the entrance in a browser. If not set, the
	// entrance can be reached with kubectl port-forward.
	// +optional
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:Pattern=`^https?://[^\s]+$`
	URL string `json:"url,omitempty"`

	// hidden indicates whether the entrance is hidden from users.
	// +optional
	Hidden bool `json:"hidden,omitempty"`
}

// Input is a value that can or must be specified to install an app.
type Input struct {
	// name is the name of the input in spec.inputs.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`

	// type is the type of the value: string, bool, password, url, email, int or domain.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Type string `json:"type,omitempty"`

	// title is the display name of the input.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	Title string `json:"title,omitempty"`

	// description describes the input.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Description string `json:"description,omitempty"`

	// default is the value that is used if no value is specified. It is never set for a
	// password.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Default string `json:"default,omitempty"`

	// options are the allowed values. If empty, any value is allowed.
	// +optional
	// +listType=atomic
	// +kubebuilder:validation:MaxItems=100
	Options []InputOption `json:"options,omitempty"`

	// pattern is a regular expression that the value must match. It can contain lookahead
	// assertions. If not set, the value need not match a pattern.
	// +optional
	// +kubebuilder:validation:MaxLength=1000
	Pattern string `json:"pattern,omitempty"`

	// minimum is the minimum of a number. If not set, the number has no minimum.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Minimum string `json:"minimum,omitempty"`

	// maximum is the maximum of a number. If not set, the number has no maximum.
	// +optional
	// +kubebuilder:validation:MaxLength=32
	Maximum string `json:"maximum,omitempty"`

	// minLength is the minimum number of characters of a text. If not set, the text has no
	// minimum length.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MinLength *int64 `json:"minLength,omitempty"`

	// maxLength is the maximum number of characters of a text. If not set, the text has no
	// maximum length.
	// +optional
	// +kubebuilder:validation:Minimum=0
	MaxLength *int64 `json:"maxLength,omitempty"`

	// showIf is a condition on other inputs, such as "service.type=NodePort&&tls!=true". While
	// the condition is not met, the input is not required. If not set, the input is always
	// shown.
	// +optional
	// +kubebuilder:validation:MaxLength=1000
	ShowIf string `json:"showIf,omitempty"`

	// secret indicates whether the value is confidential and must not be displayed.
	// +optional
	Secret bool `json:"secret,omitempty"`

	// required indicates whether a value is required to install the app.
	// +optional
	Required bool `json:"required,omitempty"`

	// problem describes why the input is missing or its value is invalid. It is set only in the
	// status of a task.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Problem string `json:"problem,omitempty"`
}

// InputOption is an allowed value of an input.
type InputOption struct {
	// title is the display name of the value.
	// +optional
	// +kubebuilder:validation:MaxLength=200
	Title string `json:"title,omitempty"`

	// value is the value that is passed to the app.
	// +required
	// +kubebuilder:validation:MaxLength=1024
	Value string `json:"value"`
}

// ObjectReference refers to an object of any kind.
type ObjectReference struct {
	// apiVersion is the API group and version of the object.
	// +required
	// +kubebuilder:validation:MaxLength=253
	APIVersion string `json:"apiVersion,omitempty"`

	// kind is the kind of the object.
	// +required
	// +kubebuilder:validation:MaxLength=63
	Kind string `json:"kind,omitempty"`

	// namespace is the namespace of the object. It is empty for a cluster-scoped object.
	// +optional
	// +kubebuilder:validation:MaxLength=63
	Namespace string `json:"namespace,omitempty"`

	// name is the name of the object.
	// +required
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name,omitempty"`
}

// String returns the kind and the name of the object, such as Deployment/web.
func (r ObjectReference) String() string { return r.Kind + "/" + r.Name }

// Attempt counts how often work with the same inputs has started without a result.
type Attempt struct {
	// inputs is the digest of the inputs of the work. If the inputs change, the count starts
	// again.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Inputs string `json:"inputs,omitempty"`

	// starts is the number of consecutive times that the work has started. After three times
	// without a result, the work is not started again until its inputs change or the annotation
	// appmarket.io/reconcile-requested-at has another value.
	// +required
	// +kubebuilder:validation:Minimum=1
	Starts int32 `json:"starts,omitempty"`

	// request is the value of the annotation appmarket.io/reconcile-requested-at at the time at
	// which the work started. If the value changes, the count starts again.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	Request string `json:"request,omitempty"`

	// process identifies the operator process that last started the work. An attempt of another
	// process was interrupted.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	Process string `json:"process,omitempty"`
}
