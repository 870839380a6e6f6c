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

// reportRuns prints the result of all runs.
func reportRuns(title string, runs []*scenarioRun) {
	GinkgoHelper()
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	row := func(cells ...string) {
		_, err := fmt.Fprintln(table, strings.Join(cells, "\t"))
		Expect(err).NotTo(HaveOccurred())
	}
	row("\n"+"ACTION", "SCENARIO", "BEFORE", "FAILED AT", "REASON", "STATE", "SECONDS", "")
	for _, run := range runs {
		result := "as specified"
		if run.err != nil {
			result = "FAILED"
		}
		row(string(run.action), run.describeCourse(), string(run.before), cmp.Or(run.failedAt(), "-"), cmp.Or(run.summary.Reason, "-"), string(cmp.Or(run.state, "?")),
			fmt.Sprintf("%.0f", run.duration.Seconds()), result)
	}
	Expect(table.Flush()).To(Succeed())
	AddReportEntry(title, ReportEntryVisibilityAlways, text.String())
}

// selectScenarios returns the scenarios whose names match the regular expression MARKET_CASES, or all
// of them if it is not set.
func selectScenarios(scenarios []scenario) []scenario {
	GinkgoHelper()
	pattern, err := regexp.Compile(os.Getenv("MARKET_CASES"))
	Expect(err).NotTo(HaveOccurred())
	return slices.DeleteFunc(scenarios, func(s scenario) bool { return !pattern.MatchString(s.String()) })
}

// describeExclusions lists the combinations without a scenario, with the reasons.
func describeExclusions() string {
	var text strings.Builder
	for _, action := range actions {
		for _, point := range slices.Concat(progressConditions, cancelPoints) {
			if why := exclusionReason(action, point); why != "" {
				fmt.Fprintf(&text, "%s, %s: %s\n", action, point, why)
			}
		}
	}
	return text.String()
}

var _ = Describe("Every action", func() {
	It("ends in the state that the table of transitions specifies, in every scenario", func(ctx SpecContext) {
		env := newEnvironment(ctx)
		createFreezePolicy(ctx)
		runs := env.newRuns(ctx, selectScenarios(parallelScenarios()))
		runParallel(runs, func(run *scenarioRun) {
			run.runPreparation()
			run.runTask()
		})
		defaultOperator.WaitIdle(ctx)
		runParallel(runs, (*scenarioRun).checkResult)
		reportRuns("Scenarios in parallel", runs)
		AddReportEntry("Combinations without a scenario", ReportEntryVisibilityAlways, describeExclusions())
		Expect(strings.Join(failureMessages(runs), "\n\n")).To(BeEmpty())
	})
})
