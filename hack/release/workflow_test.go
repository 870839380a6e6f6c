package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"
)

// workflow contains the fields of a GitHub Actions workflow that the tests use.
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

// TestDocumentationVerifiesWhatTheWorkflowSigns compares docs/installing.md with the workflow: each
// signature must have a command that verifies it with the identity of the workflow.
func TestDocumentationVerifiesWhatTheWorkflowSigns(t *testing.T) {
	g := NewWithT(t)
	text, err := os.ReadFile(root + "/docs/installing.md")
	g.Expect(err).NotTo(HaveOccurred())
	documentation := string(text)
	var signed []string
	for _, step := range readWorkflow(t).Jobs["publish"].Steps {
		for _, found := range regexp.MustCompile(`cosign (sign(?:-blob)?) .*?(checksums\.txt\.sigstore\.json|\$IMAGE|\$CHARTS/appmarket)`).FindAllStringSubmatch(step.Run, -1) {
			signed = append(signed, found[1]+" "+found[2])
		}
		if strings.HasPrefix(step.Uses, "actions/attest-build-provenance@") {
			signed = append(signed, "attest provenance")
		}
	}
	verified := map[string]string{
		"sign $IMAGE":                           "cosign verify ghcr.io/appmarket/operator:",
		"sign $CHARTS/appmarket":                "cosign verify ghcr.io/appmarket/charts/appmarket:",
		"sign-blob checksums.txt.sigstore.json": "cosign verify-blob checksums.txt --bundle checksums.txt.sigstore.json",
		"attest provenance":                     "cosign verify-attestation ghcr.io/appmarket/operator:0.1.0 --type slsaprovenance1",
	}
	g.Expect(signed).To(HaveLen(len(verified)))
	for _, each := range signed {
		g.Expect(verified).To(HaveKey(each))
		g.Expect(documentation).To(ContainSubstring(verified[each]))
	}
	workflow := regexp.MustCompile(`https://github\.com/appmarket/operator/(\.github/[\w/.-]+)@refs/tags/v`).FindStringSubmatch(documentation)
	g.Expect(workflow).To(HaveLen(2))
	g.Expect(root + "/" + workflow[1]).To(BeAnExistingFile())
}
