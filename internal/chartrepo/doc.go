// Package chartrepo stores published charts on a volume or in a bucket, and serves them as Helm
// repositories: one for each source, and an aggregate of all shared sources.
//
// The Storage of a Store contains two trees:
//
//	blobs/sha256/<aa>/<hex>                             archives and reports, by content
//	records/<namespace>/<source>/<app>/<version>.json   published versions
//
// Each file is written atomically, and a blob never changes afterwards. A record contains the
// digests of its blobs, and writing the record publishes the version. A crash can leave a
// temporary file on a volume, which Open removes, or an unreferenced blob, which Sweep removes.
// It never leaves a partial version.
//
// Everything else is derived: the index in memory from the records, and an index.yaml from
// the index in memory when it is requested. Each file is compared with its digest before it
// is served for the first time. Scrub repeats the comparison for stored files, drops the
// records whose archive is missing or altered, and reports them, so that the app is hydrated
// again.
package chartrepo
