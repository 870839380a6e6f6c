// Package chartrepo keeps finished charts on a volume and serves them as Helm
// repositories, one for each source and one that joins the shared ones.
//
// Below the folder of a Store there are two trees:
//
//	blobs/sha256/<aa>/<hex>                        archives and reports, by content
//	records/<namespace>/<source>/<app>/<version>.json   what is published
//
// A blob is written under a temporary name, flushed and renamed; it never
// changes afterwards. A record names its blobs, and renaming it into place is
// the moment at which a version is published. A crash leaves a temporary file,
// which Open removes, or a blob that nobody names, which Sweep removes; it never
// leaves half a version.
//
// Everything else is derived: the table in memory from the records, an index
// from the table when somebody asks for it. What is read is checked against its
// digest before it is served for the first time. Scrub checks again what lies
// still, drops the records whose archive is gone or altered and reports them, so
// that the app is hydrated again.
package chartrepo
