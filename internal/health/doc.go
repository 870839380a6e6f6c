// Package health follows the objects of installed apps, so that an AppInstance
// says at once when they are ready, and when they no longer are.
//
// A Watcher holds one watch for each kind that the instances of a tenant have,
// as the tenant's service account, and keeps of each object only what kstatus
// makes of it. Watches are shared by the instances of a tenant and end with the
// last of them. Of objects that have no state of their own, such as a ConfigMap, only
// the metadata is watched, or they are looked at where the tenant may not watch them.
// Those outside of the tenant's namespace are looked at whenever Health is asked.
//
// A change reaches the controller as an event with the name of the instance.
// Health then adds the objects up, and looks at the pods of the first workload
// that is not ready in order to say why.
package health
