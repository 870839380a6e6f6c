package command_test

import (
	"errors"
	"testing"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskbuilder"
)

func TestInputsOfATask(t *testing.T) {
	p := newPlugin(t)
	p.newMarket()
	p.namespace("inputs")
	p.playOperator("inputs", waitsForInput)
	g := NewWithT(t)
	r := p.run("install wiki -n inputs --wait")
	g.Expect(r.code).To(Equal(3), r.errOut)
	p.namespace("inputs-ended")
	p.createWithStatus(newTask("inputs-ended", "install-wiki-ended", v1alpha1.ActionInstall, hasFailed))
	p.createWithStatus(newTask("inputs-ended", "install-wiki-done", v1alpha1.ActionInstall, hasSucceeded))
	expectGolden(t, "inputs", p.run("inputs install-wiki-x7k2p -n inputs"),
		p.run("inputs install-wiki-ended -n inputs-ended --input WIKI_LANGUAGE=en"), p.run("inputs install-wiki-done -n inputs-ended --input WIKI_LANGUAGE=en"))
	g.Expect(p.task("inputs-ended", "install-wiki-ended").Spec.Install).To(BeNil())

	p.terminal = answers{"WIKI_ADMIN_EMAIL": "admin@wiki.example", "WIKI_ADMIN_PASSWORD": "correct horse"}
	r = p.run("inputs install-wiki-x7k2p -n inputs")
	g.Expect(r.code).To(BeZero(), r.errOut)
	task := p.task("inputs", "install-wiki-x7k2p")
	email := "admin@wiki.example"
	g.Expect(task.Spec.Install.Inputs).To(Equal([]v1alpha1.InputValue{
		{Name: "WIKI_ADMIN_EMAIL", Value: &email}, taskbuilder.SecretInput("WIKI_ADMIN_PASSWORD", "wiki-inputs", "WIKI_ADMIN_PASSWORD"),
	}))
}

// typed is a terminal on which a user types lines in order.
type typed struct{ lines []string }

func (t *typed) ReadLine(string) (string, error) {
	if len(t.lines) == 0 {
		return "", errors.New("unexpected question")
	}
	line := t.lines[0]
	t.lines = t.lines[1:]
	return line, nil
}

func (t *typed) ReadPassword(question string) (string, error) { return t.ReadLine(question) }

func TestAnInvalidAnswerIsAskedForAgain(t *testing.T) {
	p := newPlugin(t)
	p.newMarket()
	p.namespace("answers")
	g := NewWithT(t)
	task := newTask("answers", "install-wiki-aaaaa", v1alpha1.ActionInstall, waitsForInput, func(task *v1alpha1.AppInstallTask) {
		longest := int64(3)
		task.Status.RequiredInputs = append(task.Status.RequiredInputs,
			v1alpha1.Input{Name: "LANGUAGE", Type: "string", Options: []v1alpha1.InputOption{{Value: "en"}, {Value: "zh"}}, Default: "en"},
			v1alpha1.Input{Name: "PORT", Type: "int", Minimum: "1", Maximum: "65535", Required: true},
			v1alpha1.Input{Name: "CODE", Type: "string", MaxLength: &longest, Pattern: "^[a-z]+$", Required: true},
			v1alpha1.Input{Name: "NOTE", Type: "string"})
	})
	p.createWithStatus(task)
	p.terminal = &typed{[]string{"not an address", "admin@wiki.example", "", "correct horse", "de", "", "70000", "80", "abcd", "A", "abc", ""}}
	expectGolden(t, "answers", p.run("inputs install-wiki-aaaaa -n answers"))
	email, language, port, code := "admin@wiki.example", "en", "80", "abc"
	g.Expect(p.task("answers", "install-wiki-aaaaa").Spec.Install.Inputs).To(Equal([]v1alpha1.InputValue{
		{Name: "WIKI_ADMIN_EMAIL", Value: &email}, {Name: "LANGUAGE", Value: &language}, {Name: "PORT", Value: &port}, {Name: "CODE", Value: &code},
		taskbuilder.SecretInput("WIKI_ADMIN_PASSWORD", "wiki-inputs", "WIKI_ADMIN_PASSWORD"),
	}))

	t.Log("after three invalid answers, nothing is changed")
	p.createWithStatus(newTask("answers", "install-wiki-bbbbb", v1alpha1.ActionInstall, waitsForInput))
	p.terminal = &typed{[]string{"a", "b", "c"}}
	r := p.run("inputs install-wiki-bbbbb -n answers")
	g.Expect(r.code).To(Equal(1))
	g.Expect(r.errOut).To(HaveSuffix("error: input WIKI_ADMIN_EMAIL: no valid answer after 3 attempts; nothing was changed\n"))
	g.Expect(p.task("answers", "install-wiki-bbbbb").Spec.Install).To(BeNil())
	secret := &corev1.Secret{}
	g.Expect(p.env.Client.Get(t.Context(), client.ObjectKey{Namespace: "answers", Name: "wiki-inputs"}, secret)).To(Succeed())
	g.Expect(secret.Data).To(HaveLen(1))
}
