package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the group and version of every kind in this package.
var GroupVersion = schema.GroupVersion{Group: "appmarket.io", Version: "v1alpha1"}

// The names of the kinds, as objects carry them.
const (
	MarketSourceKind   = "MarketSource"
	AppInfoKind        = "AppInfo"
	AppInstanceKind    = "AppInstance"
	AppInstallTaskKind = "AppInstallTask"
)

// AddToScheme registers the kinds of this package.
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
