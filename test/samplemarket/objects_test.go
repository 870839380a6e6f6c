package samplemarket_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	. "github.com/onsi/gomega"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
)

const samples = "../../config/samples"

// parseObjects returns the objects of AppMarket in the sample files, by file.
func parseObjects(t *testing.T) map[string][]any {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(samples, "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]any{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for document := range bytes.SplitSeq(text, []byte("\n---\n")) {
			if object := decodeYAML(t, file, document); object != nil {
				found[filepath.Base(file)] = append(found[filepath.Base(file)], object)
			}
		}
	}
	return found
}

// decodeYAML decodes strictly: an unknown field in a sample is an error.
func decodeYAML(t *testing.T, file string, document []byte) any {
	t.Helper()
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := yaml.Unmarshal(document, &head); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if head.APIVersion != v1alpha1.GroupVersion.String() {
		return nil
	}
	kinds := map[string]any{
		v1alpha1.MarketSourceKind:   &v1alpha1.MarketSource{},
		v1alpha1.AppInstanceKind:    &v1alpha1.AppInstance{},
		v1alpha1.AppInstallTaskKind: &v1alpha1.AppInstallTask{},
	}
	object, ok := kinds[head.Kind]
	if !ok {
		t.Fatalf("%s: kind %q", file, head.Kind)
	}
	if err := yaml.UnmarshalStrict(document, object); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return object
}

func TestSampleObjectsFitTogether(t *testing.T) {
	g := NewWithT(t)
	_, server := startMarket(t)
	_, body := getPath(t, http.MethodGet, server.URL+"/index.yaml")
	var listed index
	g.Expect(yaml.Unmarshal(body, &listed)).To(Succeed())
	found := parseObjects(t)
	g.Expect(found).To(HaveKey("marketsource.yaml"))
	source, ok := found["marketsource.yaml"][0].(*v1alpha1.MarketSource)
	g.Expect(ok).To(BeTrue())

	var refs []v1alpha1.AppReference
	for _, all := range found {
		for _, each := range all {
			switch object := each.(type) {
			case *v1alpha1.AppInstallTask:
				refs = append(refs, object.Spec.AppRef)
			case *v1alpha1.AppInstance:
				refs = append(refs, object.Spec.AppRef)
			}
		}
	}
	g.Expect(len(refs)).To(BeNumerically(">=", 6))
	for _, ref := range refs {
		g.Expect(ref.Source).To(Equal(source.Name))
		g.Expect(ref.Namespace).To(Equal(source.Namespace))
		g.Expect(listed.Entries).To(HaveKey(ref.Name))
	}
}
