// Package uploads stores the charts that people upload to sources of type Upload.
//
// The folder of a Store is the only place of these charts. It contains two trees:
//
//	charts/<namespace>/<source>/records/<app>/<version>.json   uploaded versions
//	charts/<namespace>/<source>/blobs/<hex>                    their content, by digest
//	incoming/<namespace>/<source>/                             content that no version has yet
//
// Content is received into incoming, where an interrupted upload resumes. When all content of a
// version has been received, a worker reads the archive within the limits of package chart, and the
// limits of the source are checked. Then the content is renamed into blobs, and the record is
// created, which is the commit point: a version whose upload was acknowledged survives a crash, and
// a crash before that leaves only content that Sweep removes.
//
// Each source has content of its own, so that a digest does not reveal what others have
// uploaded. There is no state in memory other than the uploads in progress and the files that were
// compared with their digest, so that several processes can accept uploads to one folder.
package uploads
