package integration_test

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// sampleDivisor is the divisor of the sample that is tested unless MARKET_WHOLE is set: one of so many
// charts.
const sampleDivisor = 12

// plainChart is a widely used chart in a folder of Helm repositories.
type plainChart struct{ repository, name, version, archive string }

// plainCharts returns the newest version of every chart below the folder MARKET_PLAIN.
func plainCharts() []plainChart {
	var found []plainChart
	indexes, err := filepath.Glob(filepath.Join(os.Getenv("MARKET_PLAIN"), "*", "index.yaml"))
	if err != nil || os.Getenv("MARKET_PLAIN") == "" {
		return nil
	}
	for _, path := range indexes {
		var index struct {
			Entries map[string][]struct {
				Version string
				URLs    []string
			}
		}
		text, err := os.ReadFile(path)
		if err == nil {
			err = yaml.Unmarshal(text, &index)
		}
		if err != nil {
			panic(err)
		}
		folder := filepath.Dir(path)
		for name, versions := range index.Entries {
			archive := filepath.Join(folder, "charts", filepath.Base(versions[0].URLs[0]))
			found = append(found, plainChart{filepath.Base(folder), name, versions[0].Version, archive})
		}
	}
	slices.SortFunc(found, func(a, b plainChart) int { return cmp.Compare(a.archive, b.archive) })
	return found
}

// selectCharts returns the plain charts to test.
func selectCharts() []plainChart {
	all := plainCharts()
	if os.Getenv("MARKET_WHOLE") != "" {
		return all
	}
	var sample []plainChart
	for i := 0; i < len(all); i += sampleDivisor {
		sample = append(sample, all[i])
	}
	return sample
}

// recordTooLarge is the error of helm when the record of a release does not fit into a Secret. A
// task can install such a chart.
const recordTooLarge = "Too long: may not be more than 1048576 bytes"

var _ = Describe("A widely used chart", func() {
	if len(selectCharts()) == 0 {
		It("is installed by a task as by helm", func() { Skip("skipped: MARKET_PLAIN is not set") })
	}
	for _, chart := range selectCharts() {
		It("is installed by a task as by helm: "+chart.repository+"/"+chart.name, func(ctx SpecContext) {
			t := newTenant(ctx)
			t.GrantAll(ctx)
			archive, err := os.ReadFile(chart.archive)
			Expect(err).NotTo(HaveOccurred())
			release := "plain-" + t.Namespace[strings.LastIndex(t.Namespace, "-")+1:]

			By("installing it with helm")
			helmOutput, helmErr := runHelm(ctx, t, "install", release, chart.archive)
			var manifest string
			if helmErr == nil {
				manifest, err = runHelm(ctx, t, "get", "manifest", release)
				Expect(err).NotTo(HaveOccurred(), manifest)
			}
			if out, err := runHelm(ctx, t, "uninstall", release, "--wait"); err != nil {
				Expect(out).To(ContainSubstring("not found"))
			}

			By("installing it with a task")
			repository := fixture.NewRepository()
			repository.AddArchive(chart.name, chart.version, archive)
			t.AddSource(ctx, repository)
			end := t.Do(ctx, v1alpha1.ActionInstall, chart.name, fixture.As(release), fixture.Timeout("1m"),
				func(s *v1alpha1.AppInstallTaskSpec) { s.StartDeadline = "40s" })
			AddReportEntry("plain", chart.repository+"/"+chart.name+": helm: "+helmResult(helmErr, helmOutput)+"; task: "+end.Reason+": "+end.Message,
				ReportEntryVisibilityNever)
			if helmErr != nil && !strings.Contains(helmOutput, recordTooLarge) {
				Expect(end.Status).To(Equal(metav1.ConditionFalse), "helm: %s", helmOutput)
				return
			}
			Expect(end.Status).To(Equal(metav1.ConditionTrue), "%s: %s", end.Reason, end.Message)
			if helmErr != nil {
				return
			}
			taskManifest, err := runHelm(ctx, t, "get", "manifest", release)
			Expect(err).NotTo(HaveOccurred(), taskManifest)
			Expect(objectNames(taskManifest)).To(Equal(objectNames(manifest)))
			t.Succeed(ctx, v1alpha1.ActionUninstall, chart.name, fixture.As(release))
		})
	}
})

func helmResult(err error, helmOutput string) string {
	if err == nil {
		return "installed"
	}
	return strings.Join(strings.Fields(helmOutput), " ")
}

// runHelm runs the helm command in the namespace of a tenant, as the administrator of the cluster.
func runHelm(ctx context.Context, t *fixture.Tenant, args ...string) (string, error) {
	GinkgoHelper()
	return fixture.NewHelm(t.Cluster, "HELM3").TryRun(ctx, append(args, "--namespace", t.Namespace)...)
}

// objectNames returns the kind and name of every object of a manifest, sorted.
func objectNames(manifest string) []string {
	var names []string
	for document := range strings.SplitSeq("\n"+manifest, "\n---") {
		var object metav1.PartialObjectMetadata
		if err := yaml.Unmarshal([]byte(document), &object); err == nil && object.Kind != "" {
			names = append(names, object.Kind+"/"+object.Name)
		}
	}
	slices.Sort(names)
	return names
}
