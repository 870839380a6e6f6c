//go:build linux

// Package testvolume provides tests with volumes that are small or read-only.
package testvolume

import (
	"syscall"
	"testing"
)

// Mount mounts a volume that is unmounted after the test, and returns its folder. The options are options
// of tmpfs, such as size=512k. The test is skipped if mounting is not permitted, which requires root.
func Mount(t testing.TB, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("testvolume", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("skipped: mounting a volume requires root: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}
