//go:build !linux

package source

import "io/fs"

const direntBytes = 0

// fileFactsOf returns no facts on this operating system: every file is read each time.
func fileFactsOf(fs.FileInfo) fileFacts { return unknownFacts }

func fileType(mode uint32) uint32 { return mode }

func (*entryFacts) isUnchanged(int, []byte) bool { return false }
