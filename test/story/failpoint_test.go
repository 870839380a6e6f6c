package story_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/failpoint"
	"github.com/appmarket/operator/test/fixture"
)

// buildFaulty runs a build of the operator that kills itself at a failpoint. It uses the store of the
// default operator, which is stopped until the test ends.
func (o *operator) buildFaulty(ctx context.Context) *operator {
	GinkgoHelper()
	folder := filepath.Join(scratchDir, "faults")
	Expect(os.MkdirAll(folder, 0o755)).To(Succeed())
	program := fixture.BuildOperator(ctx, folder, "-tags", "faults")
	o.Stop()
	other := o.copySettings()
	other.Program = program
	DeferCleanup(func() {
		other.setFailpoint(failpointSetting{})
		other.Stop()
		o.Start()
	})
	return other
}

// A failpointSetting is the failpoint at which the operator kills itself: the point, the object that
// must be processed, and the marker file that the kill creates. The zero value kills nothing.
type failpointSetting struct{ point, subject, marker string }

// setFailpoint sets the failpoint of the operators that are started from now on.
func (o *operator) setFailpoint(setting failpointSetting) {
	GinkgoHelper()
	value := ""
	if setting.point != "" {
		value = setting.point + "@" + setting.subject
	}
	Expect(os.Setenv("APPMARKET_FAULT", value)).To(Succeed())
	Expect(os.Setenv("APPMARKET_FAULT_ONCE", setting.marker)).To(Succeed())
}

// hasFailpoint reports whether the operator was started with the setting.
func (o *operator) hasFailpoint(setting failpointSetting) bool {
	return o.Process != nil && slices.Contains(o.Process.Env, "APPMARKET_FAULT_ONCE="+setting.marker)
}

// waitKilled waits until the operator has killed itself, and otherwise returns an error.
func (o *operator) waitKilled() error {
	ended := make(chan error, 1)
	process := o.Process
	go func() { ended <- process.Wait() }()
	o.Process = nil
	select {
	case err := <-ended:
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			return fmt.Errorf("the operator did not kill itself: %w", err)
		}
		return nil
	case <-time.After(timeout): // killed here, so that the next operator can be started
		if err := process.Process.Kill(); err != nil {
			return err
		}
		<-ended
		return fmt.Errorf("the operator was not killed within %s", timeout)
	}
}

// failpointAt returns the setting that kills the operator at a failpoint of the run.
func (run *scenarioRun) failpointAt(point, once string) failpointSetting {
	subject := run.t.Namespace + "/" + run.name
	if strings.HasPrefix(point, "task-") {
		subject = run.t.Namespace + "/the-task"
	}
	return failpointSetting{point: point, subject: subject, marker: once}
}

// runWithKill runs a scenario with an operator that is killed at a failpoint. The operator that is
// then started finishes the run, and already has the next setting, which saves one start for each run.
func (run *scenarioRun) runWithKill(o *operator, current, next failpointSetting) {
	if !o.hasFailpoint(current) {
		o.Stop()
		o.setFailpoint(current)
		o.Start()
	}
	run.recordFailure(func() {
		run.Expect(current.marker).NotTo(BeAnExistingFile(), "the operator is not killed before the run starts")
		run.startTask()
		run.Expect(o.waitKilled()).To(Succeed())
		run.Expect(current.marker).To(BeAnExistingFile())
		if run.whileDown != nil {
			run.whileDown(run)
		}
	})
	if o.Process == nil {
		o.setFailpoint(next)
		o.Start()
	}
	run.recordFailure(run.waitForEnd)
}

// invalidatedRuns returns the runs whose checked input becomes invalid before it is used. Every other
// failure of that condition is found by the checks.
func invalidatedRuns(ctx context.Context, env *environment) []*scenarioRun {
	GinkgoHelper()
	values := metav1.ObjectMeta{Name: "values"}
	var scenarios []scenario
	for _, action := range []v1alpha1.Action{v1alpha1.ActionInstall, v1alpha1.ActionClone, v1alpha1.ActionUpgrade} {
		scenarios = append(scenarios, scenario{action: action, course: fails, point: v1alpha1.ConditionResolved, method: "with values that became invalid"})
	}
	runs := env.newRuns(ctx, selectScenarios(scenarios))
	for _, run := range runs {
		run.fault = fault{
			prepare: func(run *scenarioRun) {
				secret := &corev1.Secret{ObjectMeta: values, Data: map[string][]byte{"values.yaml": []byte("ready: true")}}
				secret.Namespace = run.t.Namespace
				run.Expect(k8sClient.Create(run.ctx, secret)).To(Succeed())
			},
			changeSpec: func(s *v1alpha1.AppInstallTaskSpec) {
				s.EnsureParameters().ValuesFrom = []v1alpha1.ValuesReference{{Kind: v1alpha1.ValuesFromSecret, Name: values.Name}}
			},
			whileDown: func(run *scenarioRun) {
				secret := &corev1.Secret{ObjectMeta: values, Data: map[string][]byte{"values.yaml": []byte("no values")}}
				secret.Namespace = run.t.Namespace
				run.Expect(k8sClient.Update(run.ctx, secret)).To(Succeed())
			},
			reasons: []string{v1alpha1.ReasonInvalidValues},
		}
	}
	return runs
}

var _ = Describe("Every action", func() {
	// Two parts, which can run in parallel processes.
	DescribeTable("has the same result if the operator is killed at a failpoint", func(ctx SpecContext, part int) {
		env := newEnvironment(ctx)
		var scenarios []scenario
		for i, t := range selectScenarios(killScenarios()) {
			if i%2 == part {
				scenarios = append(scenarios, t)
			}
		}
		runs := env.newRuns(ctx, scenarios)
		if part == 0 {
			runs = append(runs, invalidatedRuns(ctx, env)...)
		}
		runParallel(runs, (*scenarioRun).runPreparation)
		o := defaultOperator.buildFaulty(ctx)
		var prepared []*scenarioRun
		var settings []failpointSetting
		for i, run := range runs {
			point := run.point
			if run.course == fails {
				point = failpoint.TaskWritten
			}
			if run.err == nil {
				prepared = append(prepared, run)
				settings = append(settings, run.failpointAt(point, filepath.Join(scratchDir, fmt.Sprintf("killed-%d-%d", part, i))))
			}
		}
		for i, run := range prepared {
			next := failpointSetting{}
			if i+1 < len(settings) {
				next = settings[i+1]
			}
			run.runWithKill(o, settings[i], next)
		}
		o.WaitIdle(ctx)
		runParallel(runs, (*scenarioRun).checkResult)
		reportRuns("Scenarios with a killed operator", runs)
		Expect(strings.Join(failureMessages(runs), "\n\n")).To(BeEmpty())
	},
		Entry("in the even scenarios", 0),
		Entry("in the odd scenarios", 1),
	)
})
