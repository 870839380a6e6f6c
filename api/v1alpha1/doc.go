// Package v1alpha1 is the API of AppMarket, group appmarket.io.
//
// Four kinds, all namespaced. A MarketSource says where apps come from; every
// app of it becomes an AppInfo, which hydration fetches, renders, customises,
// analyses and publishes to a Helm repository. An AppInstance is one
// installation of an app, the only object for which Helm is run. An
// AppInstallTask is one request about an instance: it checks, writes the instance,
// follows it to the end and keeps the result.
//
// State is conditions: each kind has one root condition (Ready for what lives,
// Succeeded for what ends), milestones before it in the order in which they are
// reached, and Reconciling and Stalled while they are true, as kstatus expects.
// The constants in conditions.go and reasons.go are the closed set of both.
//
// +kubebuilder:object:generate=true
// +groupName=appmarket.io
package v1alpha1
