// Package chart reads and writes Helm chart archives.
//
// Archives come from sources and may be hostile. Unpack limits the archive size, the
// compression ratio, and the number and depth of the files, and rejects links, devices and
// names outside the chart's folder. Pack writes the same bytes for the same files on every
// machine. Digests have the form "sha256:<hex>".
package chart
