// Package worker runs all code that parses the contents of charts in separate processes:
// unpacking, Chart.yaml, manifests, schemas, rendering, and the parsing of rendered
// documents. A template can loop forever or allocate all available memory, and a goroutine
// cannot be stopped, but a process can be killed.
//
// A Pool starts the processes, whose main function is Serve, and shares them fairly among
// namespaces. A worker has no environment, no files and no network. Memory and CPU time are
// limited for each order, which covers a whole app and not a single chart. A worker
// responds over a pipe, and the size of a response is limited too. Its only requests are
// for objects that templates look up. The Pool forwards them to the caller, which reads the
// objects with the permissions of the tenant.
package worker
