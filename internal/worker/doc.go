// Package worker runs everything that reads the bytes of charts in processes of its own:
// unpacking, Chart.yaml, manifests, schemas, rendering, and the reading of what was
// rendered. A template can loop for ever or ask for all the memory there is, and Go cannot
// stop it; a process can be killed.
//
// A Pool starts the processes, whose main is Serve, and shares them fairly among
// namespaces. A worker has no environment, no files and no network; memory and processor
// time are bounded for each order, so for each app and not for each of its charts. It
// answers over a pipe, and what is read of an answer is bounded too. The one thing it may
// ask for are the objects that templates look up: the Pool asks whoever gave the order,
// who asks the cluster as the tenant.
package worker
