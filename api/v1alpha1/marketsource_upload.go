package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// UploadSource specifies which charts users can upload to a source. The charts are stored on the
// volume of the operator. Users who can create marketsources/upload for the source upload charts with
// `helm push`, `kubectl market push` or a PUT request.
type UploadSource struct {
	// allowOverwrite specifies whether an upload can replace a version with another content. If it is
	// false, such an upload is rejected. Defaults to false.
	// +optional
	AllowOverwrite *bool `json:"allowOverwrite,omitempty"`

	// maxCharts specifies the maximum number of versions of all apps that are stored. Must be from 1 to
	// 10000. Defaults to 1000.
	// +optional
	// +default=1000
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000
	MaxCharts int32 `json:"maxCharts,omitempty"`

	// maxSize specifies the maximum size of the charts that are stored. The operator also limits the
	// charts of all sources of a namespace. Defaults to 1Gi.
	// +optional
	// +default="1Gi"
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).isGreaterThan(quantity('0'))",message="maxSize must be greater than 0"
	MaxSize *resource.Quantity `json:"maxSize,omitempty"`

	// configMapSelector selects ConfigMaps in the namespace of the source by their labels. Each key in
	// their binaryData that ends with .tgz is the archive of a chart, which is offered in addition to
	// the charts that are uploaded. If not specified, no ConfigMaps are read.
	// +optional
	ConfigMapSelector *metav1.LabelSelector `json:"configMapSelector,omitempty"`
}
