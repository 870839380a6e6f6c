package main

import (
	"os"
	"regexp"
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"
)

// workflow is the part of a workflow of GitHub Actions that the tests read.
type workflow struct {
	Jobs map[string]struct {
		Needs any
		Steps []struct{ Uses, Run string }
	}
}

func readWorkflow(t *testing.T) workflow {
	t.Helper()
	g := NewWithT(t)
	text, err := os.ReadFile(root + "/.github/workflows/release.yaml")
	g.Expect(err).NotTo(HaveOccurred())
	var read workflow
	g.Expect(yaml.Unmarshal(text, &read)).To(Succeed())
	return read
}

func TestReleasePublishesOnlyWhatWasTested(t *testing.T) {
	g := NewWithT(t)
	jobs := readWorkflow(t).Jobs
	g.Expect(jobs["e2e"].Needs).To(Equal("image"))
	g.Expect(jobs["publish"].Needs).To(ConsistOf("image", "e2e"))
	g.Expect(jobs["samples"].Needs).To(Equal("publish"))
	for name, job := range jobs {
		for _, step := range job.Steps {
			if name != "image" {
				g.Expect(step.Run).NotTo(MatchRegexp(`make (image|samples|chart)`), "%s builds again", name)
			}
			g.Expect(step.Run).NotTo(ContainSubstring("latest"), name)
		}
	}
}

func TestReleaseUsesCommandsThatExist(t *testing.T) {
	g := NewWithT(t)
	makefile, err := os.ReadFile(root + "/Makefile")
	g.Expect(err).NotTo(HaveOccurred())
	count := 0
	for _, job := range readWorkflow(t).Jobs {
		for _, step := range job.Steps {
			for _, found := range regexp.MustCompile(`go run \./hack/release (\w+)`).FindAllStringSubmatch(step.Run, -1) {
				g.Expect([]string{"check", "notes", "digest"}).To(ContainElement(found[1]))
				count++
			}
			for _, found := range regexp.MustCompile(`\bmake ((?:image|samples|chart)(?: \w+)*)`).FindAllStringSubmatch(step.Run, -1) {
				for _, target := range regexp.MustCompile(`\w+`).FindAllString(found[1], -1) {
					g.Expect(string(makefile)).To(ContainSubstring("\n"+target+":"), target)
					count++
				}
			}
		}
	}
	g.Expect(count).To(BeNumerically(">=", 6))
}
