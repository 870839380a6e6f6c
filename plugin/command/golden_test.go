package command_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/plugin/command"
)

// goldenCase is a command of a golden file.
type goldenCase struct {
	file, line, out, errOut, code string
}

var goldenPattern = regexp.MustCompile(`(?s)^([^\n]*)\n(.*?)(?:--- standard error\n(.*?))?--- exit code (\d+)\n$`)

// readGolden reads the commands of all golden files.
func readGolden(t *testing.T) []goldenCase {
	t.Helper()
	g := NewWithT(t)
	files, err := filepath.Glob("testdata/*.txt")
	g.Expect(err).NotTo(HaveOccurred())
	var cases []goldenCase
	for _, file := range files {
		text, err := os.ReadFile(file)
		g.Expect(err).NotTo(HaveOccurred())
		for _, part := range strings.Split("\n"+string(text), "\n$ kubectl market ")[1:] {
			found := goldenPattern.FindStringSubmatch(strings.TrimRight(part, "\n") + "\n")
			g.Expect(found).NotTo(BeNil(), "%s: %s", file, part)
			cases = append(cases, goldenCase{file, found[1], found[2], found[3], found[4]})
		}
	}
	return cases
}

// leafCommands returns the commands that do something, by name. The subcommands of plan have the output of plan.
func leafCommands(c *cobra.Command, into map[string]*cobra.Command) map[string]*cobra.Command {
	for _, below := range c.Commands() {
		if below.Name() == "plan" || below.Runnable() && !below.HasSubCommands() && !below.Hidden {
			into[strings.TrimPrefix(below.CommandPath(), "kubectl market ")] = below
		}
		if below.Name() != "plan" {
			leafCommands(below, into)
		}
	}
	return into
}

func newCommands() map[string]*cobra.Command {
	f := command.NewFactory(genericiooptions.NewTestIOStreamsDiscard(), "kubectl market", "1.2.3")
	return leafCommands(f.NewRootCommand(), map[string]*cobra.Command{})
}

// testedElsewhere are the commands whose results are not text that a golden file can contain, with their tests.
var testedElsewhere = map[string]string{
	"ui":     "TestUI: the command serves pages until it is interrupted",
	"doctor": "TestDoctorContainsNoSecret: the result is an archive",
}

// TestEveryCommandHasGoldenFiles checks that golden files contain each command with a result, with an error, and
// in each kind of format.
func TestEveryCommandHasGoldenFiles(t *testing.T) {
	cases := readGolden(t)
	for name, c := range newCommands() {
		if testedElsewhere[name] != "" {
			continue
		}
		has := func(why string, matches func(goldenCase) bool) {
			t.Helper()
			for _, tested := range cases {
				if strings.HasPrefix(tested.line+" ", name+" ") && matches(tested) {
					return
				}
			}
			t.Errorf("no golden file contains the command %s with %s", name, why)
		}
		has("a result", func(tested goldenCase) bool { return tested.code == "0" })
		if name != "version" && name != "options" {
			has("an error", func(tested goldenCase) bool { return tested.code == "1" })
		}
		output := c.Flag("output")
		if output == nil {
			continue
		}
		formats := []string{"-o yaml", "-o name"}
		if strings.Contains(output.Usage, "wide") {
			formats = append(formats, "-o wide")
		}
		for _, format := range formats {
			has(format, func(tested goldenCase) bool {
				return tested.code == "0" && strings.Contains(tested.line+" ", format+" ")
			})
		}
	}
}

// TestEveryExitCodeHasACase checks that golden files contain each documented exit code.
func TestEveryExitCodeHasACase(t *testing.T) {
	g := NewWithT(t)
	page, err := os.ReadFile(documentation)
	g.Expect(err).NotTo(HaveOccurred())
	codes := regexp.MustCompile(`(?m)^\| (\d+) \|`).FindAllStringSubmatch(string(page), -1)
	g.Expect(codes).To(HaveLen(9))
	var found []string
	for _, tested := range readGolden(t) {
		found = append(found, tested.code)
	}
	for _, code := range codes {
		g.Expect(found).To(ContainElement(code[1]))
	}
}

// TestStandardOutputCanBeParsed checks that the standard output of each command contains the result only, in the
// format of the flags, and no control characters.
func TestStandardOutputCanBeParsed(t *testing.T) {
	names := regexp.MustCompile(`^([a-z]+(\.appmarket\.io)?/[a-z0-9.-]+\n|[a-z0-9./:-]+\n)*$`)
	for _, tested := range readGolden(t) {
		g := NewWithT(t)
		g.Expect(tested.out+tested.errOut).NotTo(MatchRegexp(`[\x00-\x08\x0b-\x1f\x7f]`), tested.line)
		switch {
		case strings.Contains(tested.line, "-o yaml") && tested.code == "0":
			for _, document := range strings.Split(tested.out, "---\n") {
				var object struct{ APIVersion, Kind string }
				g.Expect(yaml.Unmarshal([]byte(document), &object)).To(Succeed(), tested.line)
				g.Expect(object.Kind).NotTo(BeEmpty(), tested.line)
			}
		case strings.Contains(tested.line, "-o json") && tested.code == "0":
			g.Expect(json.Valid([]byte(tested.out))).To(BeTrue(), tested.line)
		case strings.Contains(tested.line, "-o name"):
			g.Expect(tested.out).To(MatchRegexp(names.String()), tested.line)
		}
		if isReport := strings.HasPrefix(tested.line, "hydrate "); tested.code == "1" && !isReport { // It prints the steps before the one that failed.
			g.Expect(tested.out).To(BeEmpty(), tested.line)
			g.Expect(tested.errOut).NotTo(BeEmpty(), tested.line)
		}
	}
}
