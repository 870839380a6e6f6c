// Package inputwatch reports changes of the Secrets and ConfigMaps that instances and tasks read.
//
// A Watcher has one watch for each service account and kind, and acts as the service account,
// because the operator itself has no permission to list Secrets. It requests metadata only, and
// stores only the resource versions of the objects that a reader uses, so that its memory does not
// depend on the size or the number of other objects. The release records of Helm are excluded by
// the API server.
//
// A watch that ends with a panic is logged and started again after a delay. If the service account
// may not list and watch the kind, its readers are not notified of changes. An instance still reads
// the objects whenever it is reconciled, and a task reads them at an interval.
package inputwatch
