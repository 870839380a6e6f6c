package story_test

import (
	"bufio"
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// calm is how long the operator must have reconciled nothing to be at rest.
const calm = time.Second

// elsewhere stops the operator and runs it with its store in another folder, until
// the story ends. Further arguments count more than those it had.
func (o *operator) elsewhere(store string, args ...string) *operator {
	GinkgoHelper()
	other := *o
	other.store = store
	other.args = append(append(slices.Clone(o.args), "--store-dir", store), args...)
	o.stop()
	DeferCleanup(func() {
		other.stop()
		o.start()
	})
	other.start()
	return &other
}

// restart ends the operator as it is ended for an update, and starts it again.
func (o *operator) restart() {
	GinkgoHelper()
	o.stop()
	o.start()
}

// rounds are the reconciles that each controller has finished since the start.
func (o *operator) rounds() map[string]int {
	GinkgoHelper()
	answer, err := http.Get("http://" + o.metrics + "/metrics")
	Expect(err).NotTo(HaveOccurred())
	defer func() { Expect(answer.Body.Close()).To(Succeed()) }()
	rounds := map[string]int{}
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		rest, ours := strings.CutPrefix(lines.Text(), `controller_runtime_reconcile_total{controller="`)
		if !ours {
			continue
		}
		controller, rest, _ := strings.Cut(rest, `"`)
		_, value, _ := strings.Cut(rest, "} ")
		count, err := strconv.ParseFloat(value, 64)
		Expect(err).NotTo(HaveOccurred(), lines.Text())
		rounds[controller] += int(count)
	}
	Expect(lines.Err()).NotTo(HaveOccurred())
	return rounds
}

// rest waits until no controller has anything to do, and returns the rounds.
func (o *operator) rest(ctx context.Context) map[string]int {
	GinkgoHelper()
	last, since := o.rounds(), time.Now()
	Eventually(func(g Gomega) {
		now := o.rounds()
		g.Expect(now).NotTo(BeEmpty(), "no controller has begun")
		if fmt.Sprint(now) != fmt.Sprint(last) {
			last, since = now, time.Now()
		}
		g.Expect(time.Since(since)).To(BeNumerically(">", calm), "still busy: %v", now)
	}).WithContext(ctx).Should(Succeed())
	return last
}

// memory is a figure of the operator's process in MiB, such as VmRSS or VmHWM.
func (o *operator) memory(figure string) int {
	GinkgoHelper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", o.process.Process.Pid))
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

// forgetPeak makes the kernel measure the peak of the operator's memory anew.
func (o *operator) forgetPeak() {
	GinkgoHelper()
	const peak = "5" // proc_pid_clear_refs(5)
	Expect(os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", o.process.Process.Pid), []byte(peak), 0)).To(Succeed())
}

// temporary are the files of the store that are not in place.
func (o *operator) temporary() []string {
	GinkgoHelper()
	found := []string{}
	Expect(filepath.WalkDir(o.store, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasPrefix(d.Name(), ".") {
			found = append(found, path)
		}
		return err
	})).To(Succeed())
	return found
}

// litter leaves what a writer leaves that a power cut ends.
func (o *operator) litter() {
	GinkgoHelper()
	for _, folder := range []string{"records", "blobs/sha256"} {
		Expect(os.WriteFile(filepath.Join(o.store, folder, ".half-a-file42"), []byte("half"), 0o600)).To(Succeed())
	}
}

// records counts the versions that are published for a namespace.
func (o *operator) records(namespace string) int {
	count := 0
	// The folder comes and changes while it is counted.
	_ = filepath.WalkDir(filepath.Join(o.store, "records", namespace), func(path string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".json") {
			count++
		}
		return nil
	})
	return count
}

// blob is the file of a digest.
func (o *operator) blob(digest string) string {
	hex := strings.TrimPrefix(digest, "sha256:")
	return filepath.Join(o.store, "blobs", "sha256", hex[:2], hex)
}
