// Package helm is all of the Helm SDK that the operator uses; no type of the SDK
// leaves it, so that the next major version of Helm is this folder's work.
//
// It has two halves. Rendering knows no cluster but by a hydrate.Lookup: Engine renders
// one chart unit in this process. It is for the processes of internal/worker, which may be
// killed, because a template can loop for ever or ask for all the memory there is and Go
// cannot stop it.
//
// Releases carry out what an AppInstance asks for: Clients gives a Client for
// each tenant, which installs, upgrades, rolls back, adopts, settles and removes
// Helm releases as the tenant's service account, never with the operator's own
// rights. A Client is given what a chart was rendered to. Readiness is not awaited here;
// internal/health watches the objects that a Release names. A process may be killed at
// any moment: the record of a release says what was begun, and the same operation, asked
// for again, goes on from there.
package helm
