package volume_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/volume"
)

func openFolder(t *testing.T) (*volume.Folder, string) {
	t.Helper()
	dir := t.TempDir()
	folder, err := volume.Open(dir)
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	t.Cleanup(func() { _ = folder.Close() })
	return folder, dir
}

func TestWriteFileReplacesTheContent(t *testing.T) {
	g := NewWithT(t)
	folder, dir := openFolder(t)
	for _, content := range []string{"first", "second"} {
		g.Expect(folder.WriteFile("a/b/file", []byte(content))).To(Succeed())
		g.Expect(os.ReadFile(filepath.Join(dir, "a/b/file"))).To(BeEquivalentTo(content))
	}
	found, err := os.ReadDir(filepath.Join(dir, "a/b"))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(found).To(HaveLen(1), "no temporary file is left")
	g.Expect(folder.RemoveFile("a/b/file")).To(Succeed())
	g.Expect(folder.RemoveFile("a/b/file")).To(Succeed(), "a file that does not exist")
	folder.PruneFolders("a/b", "a")
	g.Expect(filepath.Join(dir, "a")).To(BeADirectory())
	g.Expect(filepath.Join(dir, "a/b")).NotTo(BeADirectory())
}

func TestWriteFileStaysInTheFolder(t *testing.T) {
	folder, dir := openFolder(t)
	NewWithT(t).Expect(os.Symlink(t.TempDir(), filepath.Join(dir, "link"))).To(Succeed())
	for _, name := range []string{"../file", "link/file", "/file"} {
		NewWithT(t).Expect(folder.WriteFile(name, nil)).NotTo(Succeed(), name)
	}
}

func TestStorageErrorHasAReason(t *testing.T) {
	for cause, reason := range map[error]string{
		syscall.ENOSPC: v1alpha1.ReasonStorageFull, syscall.EDQUOT: v1alpha1.ReasonStorageFull,
		syscall.EROFS: v1alpha1.ReasonStorageReadOnly, fs.ErrPermission: v1alpha1.ReasonStorageReadOnly,
		syscall.EIO: v1alpha1.ReasonStorageFailed,
	} {
		err := volume.StorageError(fmt.Errorf("write: %w", volume.WithoutPath(&fs.PathError{Op: "write", Path: "/secret", Err: cause})))
		NewWithT(t).Expect(outcome.Reason(err, "")).To(Equal(reason), "%v", cause)
		NewWithT(t).Expect(err.Error()).NotTo(ContainSubstring("secret"))
	}
}
