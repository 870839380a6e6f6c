// Package registry asks container registries about images: digest, platforms,
// compressed size and layers. It downloads manifests and configurations only,
// never a layer.
//
// Client is the one that speaks to registries, through go-containerregistry.
// A chart names any registry it likes, so a Client trusts none: it bounds the
// size of every answer and the time of every question, speaks plain http only
// where that was allowed, and connects to no address that the policy of package
// netguard refuses, whatever a name resolves to and wherever a redirect or a token
// realm points.
//
// The rest is wrappers around a hydrate.Inspector, to be stacked in this order:
//
//	Cached(Limited(Guarded(client, pause), perHost), ttl, size)
//
// Guarded is inside Limited, so that questions which waited for their turn fail
// at once when the one before them found the registry unreachable.
package registry
