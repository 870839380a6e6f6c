//go:build !linux

package source

import "io/fs"

const direntBytes = 0

// factsOf returns no facts on this operating system: every file is read each time.
func factsOf(fs.FileInfo) fileFacts { return unknownFacts }

func typeOf(mode uint32) uint32 { return mode }

func (*entryFacts) holds(int, []byte) bool { return false }
