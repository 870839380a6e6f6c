package integration_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/test/fixture"
)

var updateMessages = flag.Bool("update", false, "write the messages of the specs that ran to testdata/messages.txt")

// messagesFile keeps the messages that each spec recorded, such as the messages of failed tasks, under the
// name of the spec, so that a review shows changed messages. A spec whose messages are not in the
// file fails the suite.
var messagesFile = filepath.Join("testdata", "messages.txt")

var _ = ReportAfterSuite("messages to users", func(report Report) {
	all := readMessages()
	ran := map[string][]string{}
	for _, spec := range report.SpecReports {
		if spec.State != types.SpecStatePassed || spec.LeafNodeType != types.NodeTypeIt {
			continue
		}
		var messages []string
		for _, entry := range spec.ReportEntries {
			if entry.Name == fixture.MessageEntry {
				messages = append(messages, entry.StringRepresentation())
			}
		}
		if len(messages) > 0 {
			ran[spec.FullText()] = messages
		}
	}
	if *updateMessages {
		if report.SuiteSucceeded && !report.SuiteHasProgrammaticFocus && report.PreRunStats.SpecsThatWillRun == report.PreRunStats.TotalSpecs {
			all = map[string][]string{}
		}
		maps.Copy(all, ran)
		writeMessages(all)
		return
	}
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(ran)) {
		if !slices.Equal(ran[name], all[name]) {
			wrong = append(wrong, fmt.Sprintf("%s\n  has\n    %s\n  and %s has\n    %s", name,
				strings.Join(ran[name], "\n    "), messagesFile, strings.Join(all[name], "\n    ")))
		}
	}
	Expect(wrong).To(BeEmpty(), "%s\nrun the suite with -update and review the difference", strings.Join(wrong, "\n"))
})

// readMessages reads the messages file: names of specs, each followed by its indented messages.
func readMessages() map[string][]string {
	GinkgoHelper()
	text, err := os.ReadFile(messagesFile)
	if os.IsNotExist(err) {
		return map[string][]string{}
	}
	Expect(err).NotTo(HaveOccurred())
	all, name := map[string][]string{}, ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if message, ok := strings.CutPrefix(line, "    "); ok {
			all[name] = append(all[name], message)
		} else if line != "" {
			name = line
		}
	}
	return all
}

func writeMessages(all map[string][]string) {
	GinkgoHelper()
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(all)) {
		text.WriteString(name + "\n")
		for _, message := range all[name] {
			text.WriteString("    " + strings.ReplaceAll(message, "\n", " ") + "\n")
		}
		text.WriteString("\n")
	}
	Expect(os.MkdirAll("testdata", 0o755)).To(Succeed())
	Expect(os.WriteFile(messagesFile, []byte(text.String()), 0o644)).To(Succeed())
}
