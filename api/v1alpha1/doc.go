// Package v1alpha1 contains the API types of AppMarket, group appmarket.io.
//
// All four kinds are namespaced. A MarketSource specifies where apps come from. For each app of
// a source there is an AppInfo; hydration fetches, renders, customizes and analyzes the app and
// publishes it to a Helm repository. An AppInstance is one installation of an app and the only
// object for which Helm is run. An AppInstallTask requests one operation on an AppInstance. The
// controller validates the request, updates the AppInstance, waits for it to become ready, and
// records the result.
//
// The state of an object is reported as conditions. Each kind has one summary condition: Ready
// for long-lived kinds, Succeeded for AppInstallTask. Progress conditions follow in the order
// in which they become True. Reconciling and Stalled exist only while they are True, as kstatus
// expects. The constants in conditions.go and reasons.go are the closed set of conditions and
// reasons.
//
// +kubebuilder:object:generate=true
// +groupName=appmarket.io
package v1alpha1
