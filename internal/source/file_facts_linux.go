package source

import (
	"io/fs"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// fileFactsOf returns the facts of a file.
func fileFactsOf(info fs.FileInfo) fileFacts {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return unknownFacts
	}
	return fileFacts{
		device: stat.Dev, inode: stat.Ino, mode: stat.Mode, size: stat.Size,
		modified: toNanoseconds(stat.Mtim.Unix()), changed: toNanoseconds(stat.Ctim.Unix()),
	}
}

func toNanoseconds(sec, nsec int64) int64 { return time.Unix(sec, nsec).UnixNano() }

// fileType returns the bits of a mode that contain the type of the file.
func fileType(mode uint32) uint32 { return mode & unix.S_IFMT }

// direntBytes is the size of a buffer for the entries of a folder.
const direntBytes = 8 << 10

// isUnchanged reports whether an entry of an open folder has the facts, without opening a
// file. A folder is unchanged if no entry was added or removed, and all its entries are
// unchanged. Each folder is opened relative to its parent, and links are not followed.
// Package os would need twice as many system calls.
func (e *entryFacts) isUnchanged(parent int, buffer []byte) bool {
	if e.isFolder() {
		return e.isFolderUnchanged(parent, buffer)
	}
	var stat unix.Stat_t
	if err := unix.Fstatat(parent, e.name, &stat, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return false
	}
	if e.isIgnored {
		return fileType(stat.Mode) == fileType(e.file.mode)
	}
	return e.file == fileFacts{
		device: stat.Dev, inode: stat.Ino, mode: stat.Mode, size: stat.Size,
		modified: toNanoseconds(stat.Mtim.Unix()), changed: toNanoseconds(stat.Ctim.Unix()),
	}
}

// isFolderUnchanged is isUnchanged for a folder.
func (e *entryFacts) isFolderUnchanged(parent int, buffer []byte) bool {
	folder, err := unix.Openat(parent, e.name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer func() { _ = unix.Close(folder) }()
	for seen := 0; ; {
		read, err := unix.ReadDirent(folder, buffer)
		if err != nil {
			return false
		}
		if read == 0 {
			return seen == len(e.entries)
		}
		_, _, names := unix.ParseDirent(buffer[:read], -1, nil)
		for _, name := range names {
			i, known := slices.BinarySearchFunc(e.entries, name, func(inner entryFacts, name string) int { return strings.Compare(inner.name, name) })
			if !known || !e.entries[i].isUnchanged(folder, buffer) {
				return false
			}
		}
		seen += len(names)
	}
}
