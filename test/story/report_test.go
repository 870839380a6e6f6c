package story_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	"github.com/onsi/ginkgo/v2/types"
	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/test/fixture"
)

// Tables of test cases and times are written to a file, because go test prints no output of passing
// tests.
var _ = ReportAfterSuite("tables of the use cases", func(report Report) {
	var text strings.Builder
	for _, spec := range report.SpecReports {
		for _, entry := range spec.ReportEntries {
			if entry.Visibility == types.ReportEntryVisibilityAlways {
				fmt.Fprintf(&text, "== %s\n%s\n\n", entry.Name, strings.TrimSpace(entry.StringRepresentation()))
			}
		}
	}
	if text.Len() == 0 {
		return
	}
	file := fixture.Path(".local/reports/use-cases.txt")
	Expect(os.MkdirAll(filepath.Dir(file), 0o755)).To(Succeed())
	Expect(os.WriteFile(file, []byte(text.String()), 0o644)).To(Succeed())
})
