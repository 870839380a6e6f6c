package story_test

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// show prints the result of all acts, and the reason for each combination without a test case.
func show(title string, all []*act) {
	GinkgoHelper()
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	row := func(cells ...string) {
		_, err := fmt.Fprintln(table, strings.Join(cells, "\t"))
		Expect(err).NotTo(HaveOccurred())
	}
	row("\n"+"ACTION", "WHAT BECOMES OF IT", "BEFORE", "FAILED AT", "REASON", "STATE", "SECONDS", "")
	for _, a := range all {
		verdict := "as the table says"
		if a.failed != nil {
			verdict = "WRONG"
		}
		row(string(a.action), a.what(), string(a.before), cmp.Or(a.failedAt(), "-"), cmp.Or(a.root.Reason, "-"), string(cmp.Or(a.state, "?")),
			fmt.Sprintf("%.0f", a.took.Seconds()), verdict)
	}
	Expect(table.Flush()).To(Succeed())
	AddReportEntry(title, ReportEntryVisibilityAlways, text.String())
}

// chosen returns the test cases whose names match the regular expression MARKET_CASES, or all test
// cases if it is not set.
func chosen(tales []tale) []tale {
	GinkgoHelper()
	pattern, err := regexp.Compile(os.Getenv("MARKET_CASES"))
	Expect(err).NotTo(HaveOccurred())
	return slices.DeleteFunc(tales, func(t tale) bool { return !pattern.MatchString(t.String()) })
}

// missing lists the combinations that have no test case, with the reasons.
func missing() string {
	var text strings.Builder
	for _, action := range actions {
		for _, at := range slices.Concat(milestones, moments) {
			if why := absent(action, at); why != "" {
				fmt.Fprintf(&text, "%s, %s: %s\n", action, at, why)
			}
		}
	}
	return text.String()
}

var _ = Describe("Every action", func() {
	It("ends in the state that the table says, whatever becomes of it", func(ctx SpecContext) {
		on := newStage(ctx)
		freezer(ctx)
		all := on.cast(ctx, chosen(sideBySide()))
		sideways(all, func(a *act) {
			a.prepare()
			a.play()
		})
		market.WaitIdle(ctx)
		sideways(all, (*act).check)
		show("Cases side by side", all)
		AddReportEntry("Cases that there are not", ReportEntryVisibilityAlways, missing())
		Expect(strings.Join(failures(all), "\n\n")).To(BeEmpty())
	})
})
