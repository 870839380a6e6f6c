package chart_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/appmarket/operator/internal/chart"

	. "github.com/onsi/gomega"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// metadata contains the fields of Chart.yaml that Artifact Hub shows.
type metadata struct {
	Name, Version, AppVersion, Icon, Home string
	Sources                               []string
	Maintainers                           []struct{ Name, URL string }
	Annotations                           map[string]string
}

func chartMetadata(t *testing.T) metadata {
	t.Helper()
	text, err := os.ReadFile(modulePath(t, "charts", "appmarket", "Chart.yaml"))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	var read metadata
	NewWithT(t).Expect(yaml.Unmarshal(text, &read)).To(Succeed())
	return read
}

func TestArtifactHubListsTheCRDs(t *testing.T) {
	g := NewWithT(t)
	type described struct{ Kind, Version, Name, DisplayName, Description string }
	var listed []described
	g.Expect(yaml.UnmarshalStrict([]byte(chartMetadata(t).Annotations["artifacthub.io/crds"]), &listed)).To(Succeed())
	var named []string
	for _, each := range listed {
		g.Expect(each.DisplayName).NotTo(BeEmpty())
		g.Expect(each.Description).NotTo(BeEmpty())
		named = append(named, each.Name+" "+each.Version+" "+each.Kind)
	}
	files, err := filepath.Glob(modulePath(t, "charts", "appmarket", "crds", "*.yaml"))
	g.Expect(err).NotTo(HaveOccurred())
	var installed []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		g.Expect(err).NotTo(HaveOccurred())
		var crd apiextensionsv1.CustomResourceDefinition
		g.Expect(yaml.Unmarshal(text, &crd)).To(Succeed())
		installed = append(installed, crd.Name+" "+crd.Spec.Versions[0].Name+" "+crd.Spec.Names.Kind)
	}
	g.Expect(named).To(ConsistOf(installed))
}

func TestArtifactHubListsImageAndLicense(t *testing.T) {
	g := NewWithT(t)
	chart := chartMetadata(t)
	var images []struct {
		Name, Image string
		Platforms   []string
	}
	g.Expect(yaml.UnmarshalStrict([]byte(chart.Annotations["artifacthub.io/images"]), &images)).To(Succeed())
	g.Expect(images).To(HaveLen(1))
	g.Expect(images[0].Image).To(Equal(operatorDeployment(t).Spec.Template.Spec.Containers[0].Image))
	g.Expect(chart.Annotations).To(HaveKeyWithValue("artifacthub.io/license", "Apache-2.0"))
	g.Expect(chart.Home).NotTo(BeEmpty())
	g.Expect(chart.Sources).NotTo(BeEmpty())
	g.Expect(chart.Maintainers).NotTo(BeEmpty())
	for _, name := range []string{"changes", "links"} {
		var list []map[string]any
		g.Expect(yaml.Unmarshal([]byte(chart.Annotations["artifacthub.io/"+name]), &list)).To(Succeed())
		g.Expect(list).NotTo(BeEmpty(), name)
	}
}

// TestLinksOfTheChartNameFiles checks that every linked file of the Git repository in Chart.yaml
// and README.md exists.
func TestLinksOfTheChartNameFiles(t *testing.T) {
	g := NewWithT(t)
	link := regexp.MustCompile(`https://(?:github\.com/appmarket/operator/blob|raw\.githubusercontent\.com/appmarket/operator)/main/([\w./-]+)`)
	var found []string
	for _, name := range []string{"Chart.yaml", "README.md"} {
		text, err := os.ReadFile(modulePath(t, "charts", "appmarket", name))
		g.Expect(err).NotTo(HaveOccurred())
		for _, match := range link.FindAllStringSubmatch(string(text), -1) {
			found = append(found, match[1])
		}
	}
	g.Expect(found).To(ContainElements("docs/icon.svg", "docs/installing.md", "CHANGELOG.md"))
	for _, each := range found {
		g.Expect(modulePath(t, each)).To(BeAnExistingFile())
	}
}

// TestPackageHasReadmeAndLicense checks the archives that both helm clients create.
func TestPackageHasReadmeAndLicense(t *testing.T) {
	license, err := os.ReadFile(modulePath(t, "LICENSE"))
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for name, program := range helmClients(t) {
		t.Run(name, func(t *testing.T) {
			g := NewWithT(t)
			folder := t.TempDir()
			_, complaint, err := runHelm(t, program, "package", modulePath(t, "charts", "appmarket"), "--destination", folder)
			g.Expect(err).NotTo(HaveOccurred(), complaint)
			archive, err := os.ReadFile(filepath.Join(folder, "appmarket-"+chartMetadata(t).Version+".tgz"))
			g.Expect(err).NotTo(HaveOccurred())
			files, err := chart.Unpack(archive)
			g.Expect(err).NotTo(HaveOccurred())
			texts := map[string]string{}
			for _, file := range files {
				texts[strings.TrimPrefix(file.Name, "appmarket/")] = string(file.Data)
			}
			g.Expect(texts).To(HaveKeyWithValue("LICENSE", string(license)))
			g.Expect(texts).To(And(HaveKey("README.md"), HaveKey("values.schema.json"), HaveKey("templates/tests/repository.yaml")))
		})
	}
}
