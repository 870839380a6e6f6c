package pages_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/ui/terminal"
)

// TestTerminalEnds ends terminals in each way.
func TestTerminalEnds(t *testing.T) {
	w := newTerminalWorld(t, false)
	jane := w.signIn(t, w.tenant, "jane", viewer, logReader, terminalUser)
	member := func(t *testing.T) *browser { // A browser with the same cookies.
		base, err := url.Parse(jane.base)
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		b := w.newBrowser(t)
		b.Jar.SetCookies(base, jane.Jar.Cookies(base))
		return b
	}
	started := func(t *testing.T, b *browser, answers bool) *screen {
		t.Helper()
		s := b.openTerminal(t, w.stream, answers)
		NewWithT(t).Eventually(func() string { return s.text() + s.ended() }, "10s").Should(HaveSuffix("$ "))
		return s
	}
	t.Run("no shell", func(t *testing.T) {
		s := member(t).openTerminal(t, strings.Replace(w.stream, "container=proxy", "container=bare", 1), true)
		NewWithT(t).Eventually(s.ended, "10s").Should(And(ContainSubstring("has no shell"), ContainSubstring("kubectl debug -it -n "+w.tenant+" wiki-7c9d5-a --image=busybox:1.37 --target=bare -- sh")))
	})
	t.Run("a command that was not found is not a missing shell", func(t *testing.T) {
		s := started(t, member(t), true)
		s.enter("exit 127\r")
		NewWithT(t).Eventually(s.ended, "5s").Should(ContainSubstring("exit code 127"))
	})
	t.Run("not confirmed", func(t *testing.T) {
		s := started(t, member(t), false)
		NewWithT(t).Eventually(s.ended, "5s").Should(ContainSubstring("Your sign-in has ended"))
	})
	t.Run("signed out in another tab", func(t *testing.T) {
		b := member(t)
		s := started(t, b, true)
		b.post(t, "/logout", nil)
		NewWithT(t).Eventually(s.ended, "500ms").Should(ContainSubstring("Your sign-in has ended"))
	})
	t.Run("the right was removed", func(t *testing.T) {
		g := NewWithT(t)
		b := w.signIn(t, w.tenant, "joe", viewer, logReader, terminalUser)
		s := started(t, b, true)
		var bindings rbacv1.RoleBindingList
		g.Expect(w.Client.List(t.Context(), &bindings, client.InNamespace(w.tenant))).To(Succeed())
		for i := range bindings.Items {
			if bindings.Items[i].Subjects[0].Name == "joe" {
				g.Expect(w.Client.Delete(t.Context(), &bindings.Items[i])).To(Succeed())
			}
		}
		g.Eventually(s.ended, "10s").Should(ContainSubstring("no longer have the permission"))
	})
	t.Run("the token was revoked", func(t *testing.T) {
		g := NewWithT(t)
		b := w.signIn(t, w.tenant, "max", viewer, logReader, terminalUser)
		s := started(t, b, true)
		g.Expect(w.Client.Delete(t.Context(), &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: w.tenant, Name: "max"}})).To(Succeed())
		g.Eventually(s.ended, "20s").Should(ContainSubstring("Your sign-in has ended"))
	})
	t.Run("a forged confirmation", func(t *testing.T) {
		s := started(t, member(t), false)
		s.send(map[string]any{"confirmation": "forged"})
		NewWithT(t).Eventually(s.ended, "1500ms").Should(ContainSubstring("Your sign-in has ended"))
	})
	t.Run("the confirmation of another user", func(t *testing.T) {
		s := started(t, member(t), false)
		w.signIn(t, w.tenant, "eve", viewer, logReader, terminalUser).confirm(s)
		NewWithT(t).Eventually(s.ended, "1500ms").Should(ContainSubstring("Your sign-in has ended"))
	})
	t.Run("messages that are not part of the protocol", func(t *testing.T) {
		for _, message := range []any{map[string]any{"size": map[string]int{"width": 90000, "height": 1}}, map[string]any{}, "x", map[string]any{"shown": -5}} {
			s := started(t, member(t), true)
			s.send(message)
			NewWithT(t).Eventually(s.ended, "5s").Should(ContainSubstring("invalid message"))
		}
	})
	t.Run("a message that is too large", func(t *testing.T) {
		s := started(t, member(t), true)
		s.enter(strings.Repeat("x", 65<<10))
		NewWithT(t).Eventually(s.done, "5s").Should(BeClosed())
	})
	t.Run("too many of a user", func(t *testing.T) {
		g := NewWithT(t)
		b := w.signIn(t, w.tenant, "ann", viewer, logReader, terminalUser)
		for range 4 {
			started(t, b, true)
		}
		s := b.openTerminal(t, w.stream, true)
		g.Eventually(s.ended, "5s").Should(ContainSubstring("Too many terminals"))
		g.Consistently(started(t, member(t), true).ended, "200ms").Should(BeEmpty(), "another user")
	})
	t.Run("the pod ends", func(t *testing.T) {
		s := started(t, member(t), true)
		w.kubelet.killShells()
		NewWithT(t).Eventually(s.ended, "5s").Should(ContainSubstring("exit code 137"))
	})
	t.Run("no shell remains", func(t *testing.T) {
		NewWithT(t).Eventually(func() int {
			w.kubelet.mu.Lock()
			defer w.kubelet.mu.Unlock()
			return w.kubelet.shells
		}, "10s").Should(BeZero())
	})
}

func TestTerminalIsIdleOrOld(t *testing.T) {
	for name, o := range map[string]terminal.Options{
		"no output for 30 minutes": {PingPeriod: 50 * time.Millisecond, IdleTimeout: 300 * time.Millisecond},
		"open for 4 hours":         {PingPeriod: 50 * time.Millisecond, MaxDuration: 300 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTerminalWorld(t, false)
			*w.manager = *terminal.NewManager(o)
			s := w.signIn(t, w.tenant, "jane", viewer, logReader, terminalUser).openTerminal(t, w.stream, true)
			NewWithT(t).Eventually(s.ended, "10s").Should(ContainSubstring(name))
		})
	}
}
