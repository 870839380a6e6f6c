package source

import (
	"io/fs"
	"syscall"
	"time"
)

// factsOf returns the facts of a file.
func factsOf(info fs.FileInfo) fileFacts {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return unknownFacts
	}
	return fileFacts{
		device: uint64(stat.Dev), inode: stat.Ino, mode: info.Mode(), size: info.Size(),
		modified: info.ModTime().UnixNano(), changed: time.Unix(stat.Ctim.Unix()).UnixNano(),
	}
}
