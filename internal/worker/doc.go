// Package worker runs all code that parses the contents of charts in separate processes:
// unpacking, Chart.yaml, manifests, schemas, rendering, and the parsing of rendered
// documents. A template can loop forever or allocate all available memory, and a goroutine
// cannot be stopped, but a process can be killed.
//
// A Pool starts the processes, whose main function is Serve, and shares them fairly among
// namespaces. A worker gets no environment variables and no open files except for its
// pipes, and needs neither files nor the network. CPU time is limited for each order, which
// covers a whole app and not a single chart, and memory for each worker. A worker responds
// over a pipe, and the size of a response is limited too. Its only requests are for objects
// that templates look up. The Pool forwards them to the caller, which reads the objects
// with the permissions of the tenant.
package worker
