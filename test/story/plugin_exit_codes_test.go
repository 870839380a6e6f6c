package story_test

import (
	"context"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// ended is the end of a command of the plugin.
type ended struct {
	out, messages string
	code          int
}

// start runs a command, and returns the channel that receives its end.
func (p *plugin) start(ctx context.Context, arguments ...string) <-chan ended {
	end := make(chan ended, 1)
	go func() {
		defer GinkgoRecover()
		var e ended
		e.out, e.messages, e.code = p.try(ctx, arguments...)
		end <- e
	}()
	return end
}

var _ = Describe("The exit code of the kubectl plugin", Ordered, func() {
	var p *plugin
	var app, continuing string

	BeforeAll(func(ctx SpecContext) {
		repo := fixture.NewRepository()
		repo.AddArchive("actor", "1.0.0", actorChart("actor", "1.0.0", nil))
		source := cluster.CreateSource(ctx, createNamespace(ctx, "market"), "exits", repo.URL, fixture.ShareWithAll)
		waitTrue(ctx, source, v1alpha1.ConditionReady)
		p = buildPlugin(ctx, newTenant(ctx, source).Namespace)
		app = source.Namespace + "/exits/actor"
	})

	// install returns the arguments of a command that installs the app and waits.
	install := func(name string, more ...string) []string {
		return append([]string{"install", app, "--name", name, "--service-account", fixture.Account, "--wait"}, more...)
	}
	// taskOf waits for the task that installs an instance, and returns its name.
	taskOf := func(ctx context.Context, instance string) (name string) {
		GinkgoHelper()
		Eventually(ctx, func() string {
			name = regexp.MustCompile(`install-` + instance + `-\w{5}`).FindString(p.run(ctx, "tasks"))
			return name
		}).ShouldNot(BeEmpty())
		return name
	}

	It("is 4 if a task fails after it was admitted", func(ctx SpecContext) {
		_, messages, code := p.try(ctx, install("failing", "--set", "fail=pre-install")...)
		Expect(code).To(Equal(4), messages)
		Expect(messages).To(And(ContainSubstring("Admitted"), ContainSubstring("InstallFailed")))
	})

	It("is 5 if the task continues after the timeout", func(ctx SpecContext) {
		_, messages, code := p.try(ctx, install("slow", "--set", "ready=false,hooks=false", "--timeout", "2s")...)
		Expect(code).To(Equal(5), messages)
		continuing = taskOf(ctx, "slow")
		Expect(messages).To(ContainSubstring("timed out after 2s; task " + continuing + " continues"))
	})

	It("is 6 if another client cancels the task", func(ctx SpecContext) {
		waiting := p.start(ctx, "wait", continuing)
		p.run(ctx, "cancel", continuing)
		var end ended
		Eventually(ctx, waiting).Should(Receive(&end))
		Expect(end.code).To(Equal(6), end.messages)
		Expect(end.messages).To(ContainSubstring("canceled"))
	})

	It("is 6 if another task interrupts the task", func(ctx SpecContext) {
		waiting := p.start(ctx, install("interrupted", "--set", "ready=false,hooks=false")...)
		taskOf(ctx, "interrupted")
		Eventually(ctx, func() string { return p.run(ctx, "apps") }).Should(ContainSubstring("interrupted"))
		p.run(ctx, "uninstall", "interrupted", "--yes", "--wait")
		var end ended
		Eventually(ctx, waiting).Should(Receive(&end))
		Expect(end.code).To(Equal(6), end.messages)
	})
})
