package chart_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

func readInstallingPage(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(modulePath(t, "docs", "installing.md"))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	return string(text)
}

// TestDocumentedValuesAreAccepted renders the chart with each example of values.
func TestDocumentedValuesAreAccepted(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n# values.yaml\n(.*?)```").FindAllStringSubmatch(readInstallingPage(t), -1)
	NewWithT(t).Expect(len(blocks)).To(BeNumerically(">=", 7))
	for _, block := range blocks {
		name, _, _ := strings.Cut(block[1], "\n")
		// The name of a test is part of its folder, and helm splits a path at a comma.
		t.Run(strings.ReplaceAll(name, ",", ""), func(t *testing.T) {
			file := t.TempDir() + "/values.yaml"
			NewWithT(t).Expect(os.WriteFile(file, []byte(block[1]), 0o600)).To(Succeed())
			var rendered []objects
			for _, program := range helmClients(t) {
				out, complaint, err := runHelm(t, program, append(templateArgs(t, nil), "--values", file)...)
				NewWithT(t).Expect(err).NotTo(HaveOccurred(), complaint)
				rendered = append(rendered, parseDocuments(t, out))
			}
			NewWithT(t).Expect(rendered[0]).NotTo(ConsistOf(renderChart(t)), "the values change nothing")
		})
	}
}

// TestDocumentedFilesExist checks that each path in config that the documentation contains exists.
func TestDocumentedFilesExist(t *testing.T) {
	found := regexp.MustCompile("[( `]\\.{0,2}/?(config/[a-z_/-]+[a-z])").FindAllStringSubmatch(readInstallingPage(t), -1)
	NewWithT(t).Expect(len(found)).To(BeNumerically(">=", 6))
	for _, match := range found {
		_, err := os.Stat(modulePath(t, match[1]))
		if os.IsNotExist(err) {
			_, err = os.Stat(modulePath(t, match[1]+".yaml"))
		}
		NewWithT(t).Expect(err).NotTo(HaveOccurred(), match[1])
	}
}
