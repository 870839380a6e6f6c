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

// copied returns another operator with the same settings.
func (o *operator) copied() *operator {
	other := *o.Operator
	return &operator{&other}
}

// replace stops the operator and starts another one until the spec ends.
func (o *operator) replace(other *operator) *operator {
	GinkgoHelper()
	o.Stop()
	DeferCleanup(func() {
		other.Stop()
		o.Start()
	})
	other.Start()
	return other
}

// elsewhere runs the operator with its store in another folder. The arguments override earlier
// ones.
func (o *operator) elsewhere(store string, args ...string) *operator {
	GinkgoHelper()
	other := o.copied()
	other.Store = store
	other.Args = append(append(slices.Clone(o.Args), "--store-dir", store), args...)
	return o.replace(other)
}

// memory returns a memory figure of the operator's process in MiB, such as VmRSS or VmHWM.
func (o *operator) memory(figure string) int {
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
	Fail("the kernel does not tell " + figure)
	return 0
}

// forgetPeak resets the peak of the resident memory of the process.
func (o *operator) forgetPeak() {
	GinkgoHelper()
	const peak = "5" // proc_pid_clear_refs(5)
	Expect(os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", o.Process.Process.Pid), []byte(peak), 0)).To(Succeed())
}

// temporary returns the temporary files in the store.
func (o *operator) temporary() []string {
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

// litter creates the temporary files that a writer leaves when the power fails.
func (o *operator) litter() {
	GinkgoHelper()
	for _, folder := range []string{"records", "blobs/sha256"} {
		Expect(os.WriteFile(filepath.Join(o.Store, folder, ".half-a-file42"), []byte("half"), 0o600)).To(Succeed())
	}
}

// records counts the published versions of a namespace.
func (o *operator) records(namespace string) int {
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

// blob returns the path of the blob with a digest.
func (o *operator) blob(digest string) string {
	hex := strings.TrimPrefix(digest, "sha256:")
	return filepath.Join(o.Store, "blobs", "sha256", hex[:2], hex)
}
