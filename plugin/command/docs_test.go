package command_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/appmarket/operator/plugin/command"
)

// documentation is the page with the reference of the commands, between the two marks.
const documentation, referenceBegin, referenceEnd = "../../docs/kubectl-market.md", "<!-- reference -->\n", "<!-- end of reference -->"

// TestEveryCommandIsDocumented fails if the reference differs from the usage texts of the commands.
// With -update, it writes the reference.
func TestEveryCommandIsDocumented(t *testing.T) {
	g := NewWithT(t)
	text, err := os.ReadFile(documentation)
	g.Expect(err).NotTo(HaveOccurred())
	before, rest, found := strings.Cut(string(text), referenceBegin)
	g.Expect(found).To(BeTrue())
	shown, after, found := strings.Cut(rest, referenceEnd)
	g.Expect(found).To(BeTrue())
	f := command.NewFactory(genericiooptions.NewTestIOStreamsDiscard(), "kubectl market", "1.2.3")
	var want strings.Builder
	writeReference(&want, f.NewRootCommand())
	if *update {
		g.Expect(os.WriteFile(documentation, []byte(before+referenceBegin+want.String()+referenceEnd+after), 0o644)).To(Succeed())
		return
	}
	g.Expect(shown).To(Equal(want.String()), "run the tests of this package with -update to update the page")
}

// writeReference writes the reference of a command and of the commands below it.
func writeReference(out *strings.Builder, c *cobra.Command) {
	for _, below := range c.Commands() {
		if below.IsAvailableCommand() && below.Runnable() && below.Name() != "help" && !below.HasSubCommands() || below.Name() == "plan" {
			about := below.Long
			if about == "" {
				about = below.Short + "."
			}
			fmt.Fprintf(out, "\n### %s\n\n%s\n\n```\n%s\n```\n", strings.TrimPrefix(below.CommandPath(), "kubectl market "), about, below.UseLine())
			if below.Example != "" {
				fmt.Fprintf(out, "\nExamples:\n\n```\n%s\n```\n", strings.ReplaceAll(strings.TrimPrefix(below.Example, "  "), "\n  ", "\n"))
			}
			if rows := flagRows(below); rows != "" {
				fmt.Fprintf(out, "\n| flag | description |\n|---|---|\n%s", rows)
			}
		}
		// The subcommands of plan have the flags of the commands of their names.
		if below.Name() != "plan" {
			writeReference(out, below)
		}
	}
}

// flagRows returns a row for each flag of a command, except the flags of kubectl's own printers.
func flagRows(c *cobra.Command) string {
	var rows strings.Builder
	c.LocalFlags().VisitAll(func(flag *pflag.Flag) {
		switch flag.Name {
		case "allow-missing-template-keys", "show-managed-fields", "template", "help", "output", "dry-run":
			return
		}
		name := "`--" + flag.Name + "`"
		if options := flag.Value.Type(); strings.Contains(options, "|") {
			name = "`--" + flag.Name + " " + strings.ReplaceAll(options, "|", "\\|") + "`"
		}
		if flag.Shorthand != "" {
			name = "`-" + flag.Shorthand + "`, " + name
		}
		fmt.Fprintf(&rows, "| %s | %s |\n", name, strings.ReplaceAll(flag.Usage, "|", "\\|"))
	})
	return rows.String()
}
