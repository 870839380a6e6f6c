// Package chart reads and writes Helm chart archives.
//
// An archive comes from a source, which may be hostile: Unpack bounds its size, its ratio,
// the number and the depth of its files, and rejects links, devices and names that leave
// the folder of the chart. Pack writes the same bytes for the same files on every machine.
// Digests are written as "sha256:<hex>".
package chart
