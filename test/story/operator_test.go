package story_test

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// operator is the program under test, as a process that can be killed.
type operator struct {
	program string
	store   string
	url     string
	probes  string
	metrics string
	args    []string
	env     []string // beside that of the test
	log     *os.File
	process *exec.Cmd
}

// newOperator builds the operator with the race detector.
func newOperator(ctx context.Context) *operator {
	GinkgoHelper()
	o := &operator{program: filepath.Join(scratch, "appmarket"), store: filepath.Join(scratch, "store"), metrics: freeAddress(), probes: freeAddress()}
	run(ctx, "go", "build", "-race", "-o", o.program, root("."))
	Expect(os.MkdirAll(o.store, 0o755)).To(Succeed())
	var err error
	o.log, err = os.Create(filepath.Join(scratch, "operator.log"))
	Expect(err).NotTo(HaveOccurred())
	address := freeAddress()
	o.url = "http://" + address
	allowed := []string{scratch}
	if catalog := os.Getenv("MARKET_CATALOG"); catalog != "" {
		allowed = append(allowed, catalog)
	}
	o.args = []string{
		"--store-dir", o.store, "--repository-bind-address", address, "--repository-url", o.url,
		"--metrics-bind-address", o.metrics, "--health-probe-bind-address", o.probes,
		"--allowed-directories", strings.Join(allowed, ","),
		"--registry-mirror", "samples.appmarket.io=" + samples.URL,
	}
	DeferCleanup(func() {
		o.stop()
		text, err := os.ReadFile(o.log.Name())
		Expect(err).NotTo(HaveOccurred())
		for line := range strings.Lines(string(text)) {
			Expect(line).NotTo(Or(ContainSubstring("DATA RACE"), ContainSubstring("panic")))
		}
		Expect(o.log.Close()).To(Succeed())
	})
	return o
}

// start starts the operator and waits until it is ready.
func (o *operator) start() {
	GinkgoHelper()
	o.process = exec.Command(o.program, o.args...)
	o.process.Env = append(os.Environ(), o.env...)
	o.process.Stdout, o.process.Stderr = o.log, o.log
	o.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	Expect(o.process.Start()).To(Succeed())
	Eventually(func() (int, error) {
		answer, err := http.Get("http://" + o.probes + "/readyz")
		if err != nil {
			return 0, err
		}
		return answer.StatusCode, answer.Body.Close()
	}).Should(Equal(http.StatusOK))
}

// kill ends the operator as a power cut does.
func (o *operator) kill() {
	GinkgoHelper()
	Expect(o.process.Process.Kill()).To(Succeed())
	Expect(o.process.Wait()).To(HaveOccurred(), "the operator ended by itself")
	o.process = nil
}

// stop asks the operator to end, and expects it to.
func (o *operator) stop() {
	GinkgoHelper()
	if o.process == nil {
		return
	}
	Expect(o.process.Process.Signal(syscall.SIGTERM)).To(Succeed())
	Expect(o.process.Wait()).To(Succeed())
	o.process = nil
}
