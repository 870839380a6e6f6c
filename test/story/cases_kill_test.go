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

// doomed runs a build of the operator that kills itself at a failpoint. It uses the store of the
// default operator, which is stopped until the test ends.
func (o *operator) doomed(ctx context.Context) *operator {
	GinkgoHelper()
	folder := filepath.Join(scratch, "faults")
	Expect(os.MkdirAll(folder, 0o755)).To(Succeed())
	program := fixture.BuildOperator(ctx, folder, "-tags", "faults")
	o.Stop()
	other := o.copied()
	other.Program = program
	DeferCleanup(func() {
		other.arm(doom{})
		other.Stop()
		o.Start()
	})
	return other
}

// A doom is the failpoint at which the operator kills itself: the point, the object that must be
// processed, and the file that the kill creates. The zero doom kills nothing.
type doom struct{ point, subject, once string }

// arm sets the doom of the operators that are started from now on.
func (o *operator) arm(d doom) {
	GinkgoHelper()
	armed := ""
	if d.point != "" {
		armed = d.point + "@" + d.subject
	}
	Expect(os.Setenv("APPMARKET_FAULT", armed)).To(Succeed())
	Expect(os.Setenv("APPMARKET_FAULT_ONCE", d.once)).To(Succeed())
}

// isArmed reports whether the operator was started with the doom.
func (o *operator) isArmed(d doom) bool {
	return o.Process != nil && slices.Contains(o.Process.Env, "APPMARKET_FAULT_ONCE="+d.once)
}

// dies waits until the operator has killed itself, and otherwise returns an error.
func (o *operator) dies() error {
	ended := make(chan error, 1)
	process := o.Process
	go func() { ended <- process.Wait() }()
	o.Process = nil
	select {
	case err := <-ended:
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
			return fmt.Errorf("the operator ended otherwise: %w", err)
		}
		return nil
	case <-time.After(patience): // killed here, so that the next operator can be started
		if err := process.Process.Kill(); err != nil {
			return err
		}
		<-ended
		return fmt.Errorf("the operator was not killed within %s", patience)
	}
}

// doomAt returns the doom that kills the operator at a failpoint of the act.
func (a *act) doomAt(point, once string) doom {
	subject := a.t.Namespace + "/" + a.name
	if strings.HasPrefix(point, "task-") {
		subject = a.t.Namespace + "/the-task"
	}
	return doom{point: point, subject: subject, once: once}
}

// killAt runs an act with an operator that is killed by a doom. The operator that is then started
// finishes the act, and already has the next doom, which saves one start for each act.
func (a *act) killAt(o *operator, now, next doom) {
	if !o.isArmed(now) {
		o.Stop()
		o.arm(now)
		o.Start()
	}
	a.attempt(func() {
		a.Expect(now.once).NotTo(BeAnExistingFile(), "the operator was killed before the act began")
		a.begin()
		a.Expect(o.dies()).To(Succeed())
		a.Expect(now.once).To(BeAnExistingFile())
		if a.meanwhile != nil {
			a.meanwhile(a)
		}
	})
	if o.Process == nil {
		o.arm(next)
		o.Start()
	}
	a.attempt(a.end)
}

// spoiled returns the acts whose checked input becomes invalid before it is used. Every other
// failure of that condition is found by the checks.
func spoiled(ctx context.Context, on *stage) []*act {
	GinkgoHelper()
	named := metav1.ObjectMeta{Name: "values"}
	var tales []tale
	for _, action := range []v1alpha1.Action{v1alpha1.ActionInstall, v1alpha1.ActionClone, v1alpha1.ActionUpgrade} {
		tales = append(tales, tale{action: action, how: fails, at: v1alpha1.ConditionResolved, by: "as values were spoiled"})
	}
	all := on.cast(ctx, chosen(tales))
	for _, a := range all {
		a.trouble = trouble{
			prepare: func(a *act) {
				secret := &corev1.Secret{ObjectMeta: named, Data: map[string][]byte{"values.yaml": []byte("ready: true")}}
				secret.Namespace = a.t.Namespace
				a.Expect(cluster.Create(a.ctx, secret)).To(Succeed())
			},
			change: func(s *v1alpha1.AppInstallTaskSpec) {
				s.EnsureParameters().ValuesFrom = []v1alpha1.ValuesReference{{Kind: v1alpha1.ValuesFromSecret, Name: named.Name}}
			},
			meanwhile: func(a *act) {
				secret := &corev1.Secret{ObjectMeta: named, Data: map[string][]byte{"values.yaml": []byte("no values")}}
				secret.Namespace = a.t.Namespace
				a.Expect(cluster.Update(a.ctx, secret)).To(Succeed())
			},
			reasons: []string{v1alpha1.ReasonInvalidValues},
		}
	}
	return all
}

var _ = Describe("Every action", func() {
	// Two parts, which can run in parallel processes.
	DescribeTable("ends as if nothing had happened when the operator is killed at a named point", func(ctx SpecContext, part int) {
		on := newStage(ctx)
		var tales []tale
		for i, t := range chosen(kills()) {
			if i%2 == part {
				tales = append(tales, t)
			}
		}
		all := on.cast(ctx, tales)
		if part == 0 {
			all = append(all, spoiled(ctx, on)...)
		}
		sideways(all, (*act).prepare)
		o := market.doomed(ctx)
		var prepared []*act
		var dooms []doom
		for i, a := range all {
			point := a.at
			if a.how == fails {
				point = failpoint.TaskWritten
			}
			if a.failed == nil {
				prepared = append(prepared, a)
				dooms = append(dooms, a.doomAt(point, filepath.Join(scratch, fmt.Sprintf("killed-%d-%d", part, i))))
			}
		}
		for i, a := range prepared {
			next := doom{}
			if i+1 < len(dooms) {
				next = dooms[i+1]
			}
			a.killAt(o, dooms[i], next)
		}
		o.WaitIdle(ctx)
		sideways(all, (*act).check)
		show("Cases with a kill", all)
		Expect(strings.Join(failures(all), "\n\n")).To(BeEmpty())
	},
		Entry("in the even cases", 0),
		Entry("in the odd cases", 1),
	)
})
