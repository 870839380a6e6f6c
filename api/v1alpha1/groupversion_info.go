package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the group and version of the kinds in this package.
var GroupVersion = schema.GroupVersion{Group: "appmarket.io", Version: "v1alpha1"}

// Kinds of the objects in this package.
const (
	MarketSourceKind   = "MarketSource"
	AppInfoKind        = "AppInfo"
	AppInstanceKind    = "AppInstance"
	AppInstallTaskKind = "AppInstallTask"
)

// AddToScheme adds the kinds of this package to the scheme.
func AddToScheme(scheme *runtime.Scheme) error {
	scheme.AddKnownTypes(GroupVersion,
		&MarketSource{}, &MarketSourceList{},
		&AppInfo{}, &AppInfoList{},
		&AppInstance{}, &AppInstanceList{},
		&AppInstallTask{}, &AppInstallTaskList{},
	)
	metav1.AddToGroupVersion(scheme, GroupVersion)
	return nil
}
