// Package registry inspects images in container registries: digest, platforms, compressed
// size and layers. It downloads manifests and configurations only, never a layer.
//
// Client accesses registries through go-containerregistry. Charts can refer to any registry,
// so registries are untrusted: Client limits the size of each response and the time of each
// inspection, uses plain http only if it is allowed, and does not connect to an address that
// the policy of package netguard rejects, no matter how it was reached: by name resolution,
// by a redirect or by a token realm.
//
// The other types wrap a hydrate.Inspector, in this order:
//
//	Cached(Limited(Guarded(client, pause), perHost), ttl, size)
//
// Guarded is inside Limited, so that inspections which waited for a slot fail immediately if
// a previous one found the registry unreachable.
package registry
