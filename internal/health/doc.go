// Package health watches the objects of installed apps, so that changes of their health are
// visible in the AppInstance immediately.
//
// A Watcher has one watch for each service account and kind of object, and acts as the service
// account. It caches only the kstatus result of each object. The instances of a tenant share
// the watches. For kinds without a status, such as ConfigMap, it watches only the metadata, or
// polls the objects if the tenant may not watch them. Objects in other namespaces are polled
// when Health is called.
//
// A change is sent to the controller as an event with the name of the instance. Health then
// counts the ready objects, and reads the pods of the first workload that is not ready in order
// to explain why.
package health
