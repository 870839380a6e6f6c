// Package helm is all of the Helm SDK that the operator uses; no type of the SDK
// leaves it, so that the next major version of Helm is this folder's work.
//
// It has two halves. Rendering knows no cluster: Engine renders one chart unit in
// this process, and Sandbox hands the same work to worker processes that may be
// killed, because a template can loop for ever or ask for all the memory there
// is and Go cannot stop it. RunRenderWorker is the main of such a process.
//
// Releases carry out what an AppInstance asks for: Clients gives a Client for
// each tenant, which installs, upgrades, rolls back, adopts, settles and removes
// Helm releases as the tenant's service account, never with the operator's own
// rights. Readiness is not awaited here; internal/health watches the objects that a
// Release names. A process may be killed at any moment: the record of a release
// says what was begun, and the same operation, asked for again, goes on from there.
package helm
