package story_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/test/fixture"
)

// operator is the process under test, with queries for the specs.
type operator struct{ *fixture.Operator }

// copySettings returns another operator with the same settings.
func (o *operator) copySettings() *operator {
	other := *o.Operator
	return &operator{&other}
}

// replaceWith stops the operator and starts another one until the spec ends.
func (o *operator) replaceWith(other *operator) *operator {
	GinkgoHelper()
	o.Stop()
	DeferCleanup(func() {
		other.Stop()
		o.Start()
	})
	other.Start()
	return other
}

// replaceStore runs the operator with its store in another folder. The arguments override earlier
// ones.
func (o *operator) replaceStore(store string, args ...string) *operator {
	GinkgoHelper()
	other := o.copySettings()
	other.Store = store
	other.Args = append(append(slices.Clone(o.Args), "--store-dir", store), args...)
	return o.replaceWith(other)
}

// processMemory returns a memory figure of the operator's process in MiB, such as VmRSS or VmHWM.
func (o *operator) processMemory(figure string) int {
	GinkgoHelper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", o.Process.Process.Pid))
	Expect(err).NotTo(HaveOccurred())
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, figure+":"); ok {
			kib, err := strconv.Atoi(strings.Fields(value)[0])
			Expect(err).NotTo(HaveOccurred())
			return kib >> 10
		}
	}
	Fail("the kernel does not report " + figure)
	return 0
}

// resetPeakMemory resets the peak of the resident memory of the process.
func (o *operator) resetPeakMemory() {
	GinkgoHelper()
	const peak = "5" // proc_pid_clear_refs(5)
	Expect(os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", o.Process.Process.Pid), []byte(peak), 0)).To(Succeed())
}

// temporaryFiles returns the temporary files in the store.
func (o *operator) temporaryFiles() []string {
	GinkgoHelper()
	found := []string{}
	Expect(filepath.WalkDir(o.Store, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasPrefix(d.Name(), ".") {
			found = append(found, path)
		}
		return err
	})).To(Succeed())
	return found
}

// createTemporaryFiles creates the temporary files that a writer leaves when it is killed.
func (o *operator) createTemporaryFiles() {
	GinkgoHelper()
	for _, folder := range []string{"records", "blobs/sha256"} {
		Expect(os.WriteFile(filepath.Join(o.Store, folder, ".half-a-file42"), []byte("half"), 0o600)).To(Succeed())
	}
}

// countRecords counts the published versions of a namespace.
func (o *operator) countRecords(namespace string) int {
	count := 0
	// The folder may change during the walk, so errors are ignored.
	_ = filepath.WalkDir(filepath.Join(o.Store, "records", namespace), func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".json") {
			count++
		}
		return nil
	})
	return count
}

// blobPath returns the path of the blob with a digest.
func (o *operator) blobPath(digest string) string {
	hex := strings.TrimPrefix(digest, "sha256:")
	return filepath.Join(o.Store, "blobs", "sha256", hex[:2], hex)
}
