//go:build faults

package failpoint_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/failpoint"
)

// passArgument makes the test executable call Point and then report that it is alive.
const passArgument = "pass"

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == passArgument {
		failpoint.Point(os.Args[2], os.Args[3])
		fmt.Print("alive")
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// runProcess calls Point in a separate process and returns its output.
func runProcess(t *testing.T, point, subject string, env ...string) (string, error) {
	t.Helper()
	self, err := os.Executable()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	command := exec.Command(self, passArgument, point, subject)
	command.Env = append(os.Environ(), env...)
	said, err := command.Output()
	return string(said), err
}

func isKilled(err error) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

func TestPoint(t *testing.T) {
	for _, c := range []struct {
		why    string
		armed  string
		killed bool
	}{
		{why: "nothing is armed"},
		{why: "this point of this subject", armed: "helm-record-final@shop/blog", killed: true},
		{why: "this point of any subject", armed: "helm-record-final@*", killed: true},
		{why: "this point of another subject", armed: "helm-record-final@shop/wiki"},
		{why: "another point", armed: "helm-record-pending@shop/blog"},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			said, err := runProcess(t, failpoint.HelmRecordFinal, "shop/blog", "APPMARKET_FAULT="+c.armed)
			g.Expect(isKilled(err)).To(Equal(c.killed))
			if !c.killed {
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(said).To(Equal("alive"))
			}
		})
	}
}

func TestPointKillsOnce(t *testing.T) {
	g := NewWithT(t)
	file := filepath.Join(t.TempDir(), "once")
	env := []string{"APPMARKET_FAULT=task-noted@*", "APPMARKET_FAULT_ONCE=" + file}
	_, err := runProcess(t, failpoint.TaskWritten, "shop/blog", env...)
	g.Expect(err).NotTo(HaveOccurred(), "another point does not create the file")
	_, err = runProcess(t, failpoint.TaskNoted, "shop/blog", env...)
	g.Expect(isKilled(err)).To(BeTrue())
	g.Expect(file).To(BeAnExistingFile())
	said, err := runProcess(t, failpoint.TaskNoted, "shop/blog", env...)
	g.Expect(err).NotTo(HaveOccurred(), "a restarted process is not killed again")
	g.Expect(said).To(Equal("alive"))
}

func TestInvalidVariablesPanic(t *testing.T) {
	for why, armed := range map[string]string{
		"no subject":       "helm-record-final",
		"an empty subject": "helm-record-final@",
		"an unknown point": "helm-record-finale@*",
	} {
		t.Run(why, func(t *testing.T) {
			g := NewWithT(t)
			said, err := runProcess(t, failpoint.HelmRecordFinal, "shop/blog", "APPMARKET_FAULT="+armed)
			g.Expect(err).To(HaveOccurred())
			g.Expect(isKilled(err)).To(BeFalse())
			g.Expect(said).To(BeEmpty())
		})
	}
}
