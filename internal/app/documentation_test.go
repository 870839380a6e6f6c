package app

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/appmarket/operator/internal/fairlimiter"
)

// TestFlagsAreDocumented compares the table of flags in docs/configuration.md with the flags.
// With UPDATE=1 it writes the table.
func TestFlagsAreDocumented(t *testing.T) {
	g := NewWithT(t)
	const page, begin, end = "../../docs/configuration.md", "<!-- begin flags -->\n", "<!-- end flags -->"
	o, err := parseFlags(nil)
	g.Expect(err).NotTo(HaveOccurred())
	var table strings.Builder
	table.WriteString("| flag | default | meaning |\n|---|---|---|\n")
	o.flags.VisitAll(func(f *flag.Flag) {
		meaning := strings.NewReplacer("|", `\|`, "<", `\<`).Replace(f.Usage)
		byDefault := cmp.Or(strings.TrimPrefix(f.DefValue, "map[]"), `""`)
		fmt.Fprintf(&table, "| `--%s` | `%s` | %s |\n", f.Name, byDefault, meaning)
	})

	text, err := os.ReadFile(page)
	g.Expect(err).NotTo(HaveOccurred())
	before, rest, found := strings.Cut(string(text), begin)
	g.Expect(found).To(BeTrue(), begin)
	written, after, found := strings.Cut(rest, end)
	g.Expect(found).To(BeTrue(), end)
	if os.Getenv("UPDATE") != "" {
		g.Expect(os.WriteFile(page, []byte(before+begin+table.String()+end+after), 0o644)).To(Succeed())
		return
	}
	g.Expect(written).To(Equal(table.String()), "run UPDATE=1 go test ./internal/app -run %s", t.Name())
}

var (
	metricForm = regexp.MustCompile(`\b(?:appmarket|controller_runtime|workqueue|rest_client|leader_election|process)_[a-z_]+\b`)
	suffixForm = regexp.MustCompile(`_(?:bucket|count|sum)$`)
	descForm   = regexp.MustCompile(`fqName: "([^"]+)"`)
)

// TestMetricsAreDocumented checks that docs/operations.md contains every metric of this program,
// and only metrics that exist.
func TestMetricsAreDocumented(t *testing.T) {
	g := NewWithT(t)
	exists := map[string]bool{}
	described := make(chan *prometheus.Desc)
	go func() {
		defer close(described)
		metrics.Registry.(*prometheus.Registry).Describe(described)
		fairlimiter.Gauges{}.Describe(described)
	}()
	for desc := range described {
		exists[descForm.FindStringSubmatch(desc.String())[1]] = true
	}

	text, err := os.ReadFile("../../docs/operations.md")
	g.Expect(err).NotTo(HaveOccurred())
	documented := map[string]bool{}
	for _, name := range metricForm.FindAllString(string(text), -1) {
		if base := suffixForm.ReplaceAllString(name, ""); !exists[name] {
			name = base
		}
		documented[name] = true
		g.Expect(exists).To(HaveKey(name))
	}
	for name := range exists {
		if strings.HasPrefix(name, "appmarket_") {
			g.Expect(documented).To(HaveKey(name))
		}
	}
}
