package story_test

import (
	"context"
	"io"
	"net/http"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	"github.com/dlclark/regexp2"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/api/v1alpha1"
)

// A candidate is an app of a catalog with its rendered objects.
type candidate struct {
	*v1alpha1.AppInfo
	objects []*unstructured.Unstructured
}

// An appSelector selects apps of a catalog by rules, each app at most once, in the order of their names.
type appSelector struct {
	apps []*v1alpha1.AppInfo
	// systemVersion is the platform version for which the apps are rendered.
	systemVersion string
	// kinds are the kinds of the cluster, and whether they are namespaced.
	kinds map[schema.GroupVersionKind]bool
	used  map[string]bool
}

func newAppSelector(ctx context.Context, namespace, system string) *appSelector {
	GinkgoHelper()
	s := &appSelector{systemVersion: system, apps: listApps(ctx, namespace), kinds: map[schema.GroupVersionKind]bool{}, used: map[string]bool{}}
	_, lists, err := discovery.NewDiscoveryClientForConfigOrDie(restConfig).ServerGroupsAndResources()
	Expect(err).NotTo(HaveOccurred())
	for _, list := range lists {
		for _, resource := range list.APIResources {
			s.kinds[schema.FromAPIVersionAndKind(list.GroupVersion, resource.Kind)] = resource.Namespaced
		}
	}
	return s
}

// selectApps returns count apps that can run here and match the rule.
func (s *appSelector) selectApps(count int, rule func(candidate) bool) []candidate {
	GinkgoHelper()
	var found []candidate
	for _, app := range s.apps {
		if len(found) == count {
			break
		}
		one := candidate{AppInfo: app}
		if s.used[app.Name] || !s.isInstallable(app) || !rule(one) {
			continue
		}
		one.objects = fetchRenderedObjects(app)
		if s.canRun(one) {
			s.used[app.Name] = true
			found = append(found, one)
		}
	}
	Expect(found).To(HaveLen(count), "the catalog has too few apps that match the rule")
	return found
}

// isInstallable reports whether an app can be installed on the platform without other apps and without a
// purchase.
func (s *appSelector) isInstallable(app *v1alpha1.AppInfo) bool {
	for _, d := range app.Status.Summary.Dependencies {
		if d.Type == "application" && d.Required || d.Type == "system" && !isInRange(d.Version, s.systemVersion) {
			return false
		}
	}
	return !app.Spec.Withdrawn && app.Status.Summary.Purchase == nil && len(app.Spec.App) <= 40
}

// newestSystem is the default platform version for which apps are rendered. Some apps require
// olderSystem.
const (
	newestSystem = "1.12.6"
	olderSystem  = "1.12.5"
)

// isInRange reports whether a platform version is in a range.
func isInRange(allowed, version string) bool {
	constraint, err := semver.NewConstraint(allowed)
	return err != nil || constraint.Check(semver.MustParse(version))
}

// canRun reports whether the cluster has the kinds of an app and a node for each of its Pods, and
// whether all objects are deleted with the app. A chart may request that objects are kept, and Helm
// keeps the CRDs in crds/.
func (s *appSelector) canRun(app candidate) bool {
	seen := map[string]bool{}
	for _, o := range app.objects {
		if _, known := s.kinds[o.GroupVersionKind()]; !known || o.GetAnnotations()["helm.sh/resource-policy"] == "keep" ||
			o.GetKind() == "CustomResourceDefinition" {
			return false
		}
		// The namespaces of the objects are unknown here, so kind and name must be unique.
		key := o.GetKind() + "/" + o.GetName()
		if seen[key] || !hasPlainPods(o.Object) {
			return false
		}
		seen[key] = true
	}
	return true
}

// hasPlainPods reports whether every Pod spec in an object can run on any node.
func hasPlainPods(of any) bool {
	switch value := of.(type) {
	case []any:
		return !slices.ContainsFunc(value, func(item any) bool { return !hasPlainPods(item) })
	case map[string]any:
		if _, is := value["containers"].([]any); is && !isPlainPod(value) {
			return false
		}
		for _, item := range value {
			if !hasPlainPods(item) {
				return false
			}
		}
	}
	return true
}

func isPlainPod(text map[string]any) bool {
	var pod corev1.PodSpec
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(text, &pod); err != nil {
		return false
	}
	for _, container := range append(pod.InitContainers, pod.Containers...) {
		for _, list := range []corev1.ResourceList{container.Resources.Requests, container.Resources.Limits} {
			for name := range list {
				if name != corev1.ResourceCPU && name != corev1.ResourceMemory && name != corev1.ResourceEphemeralStorage {
					return false
				}
			}
		}
	}
	return len(pod.NodeSelector) == 0 && (pod.Affinity == nil || pod.Affinity.NodeAffinity == nil)
}

// needsClusterAdmin reports whether an app contains cluster-scoped objects or objects in another
// namespace. In the report, the namespace of the app is "default".
func (s *appSelector) needsClusterAdmin(app candidate) bool {
	return slices.ContainsFunc(app.objects, func(o *unstructured.Unstructured) bool {
		return !s.kinds[o.GroupVersionKind()] || o.GetNamespace() != "" && o.GetNamespace() != "default"
	})
}

// fetchRenderedObjects returns the rendered objects from the report in the repository.
func fetchRenderedObjects(app *v1alpha1.AppInfo) []*unstructured.Unstructured {
	GinkgoHelper()
	at := slices.IndexFunc(app.Status.Versions, func(v v1alpha1.PublishedVersion) bool { return v.Version == app.Status.SelectedVersion })
	Expect(at).To(BeNumerically(">=", 0), "app %s has no version", app.Name)
	answer, err := http.Get(app.Status.Versions[at].ReportURL + "/objects.yaml")
	Expect(err).NotTo(HaveOccurred())
	defer func() { Expect(answer.Body.Close()).To(Succeed()) }()
	text, err := io.ReadAll(answer.Body)
	Expect(err).NotTo(HaveOccurred())
	Expect(answer.StatusCode).To(Equal(http.StatusOK))
	var found []*unstructured.Unstructured
	for document := range strings.SplitSeq("\n"+string(text), "\n---\n") {
		o := &unstructured.Unstructured{}
		Expect(yaml.Unmarshal([]byte(document), &o.Object)).To(Succeed(), app.Name)
		if o.GetKind() != "" {
			found = append(found, o)
		}
	}
	return found
}

// countKind returns the number of objects of a kind in an app.
func (s candidate) countKind(kind string) int {
	for _, k := range s.Status.Summary.Kinds {
		if k.Kind == kind {
			return int(k.Count)
		}
	}
	return 0
}

// needsInput reports whether an app requires input. The summary does not contain defaults of
// passwords.
func (s candidate) needsInput() bool {
	return slices.ContainsFunc(s.Status.Summary.Inputs, func(in v1alpha1.Input) bool { return in.Required && in.Default == "" })
}

// validInput returns a value that is valid for an input.
func validInput(in v1alpha1.Input) string {
	GinkgoHelper()
	if len(in.Options) > 0 {
		return in.Options[0].Value
	}
	byType := map[string]string{
		"url": "https://app.example", "email": "user@app.example", "domain": "app.example", "int": "7", "bool": "true",
	}
	if value, ok := byType[in.Type]; ok {
		return value
	}
	if in.Pattern == "" {
		return "something"
	}
	// Patterns with look-ahead are for passwords, and package syntax does not support them.
	values := []string{"Correct-Horse-7", "CorrectHorse7"}
	if parsed, err := syntax.Parse(in.Pattern, syntax.Perl); err == nil {
		values = append(values, shortestMatch(parsed))
	}
	pattern := regexp2.MustCompile(in.Pattern, regexp2.ECMAScript)
	for _, value := range values {
		if fits, err := pattern.MatchString(value); err == nil && fits {
			return value
		}
	}
	Fail("cannot generate a value for pattern " + in.Pattern)
	return ""
}

// shortestMatch returns a short text that matches a regular expression.
func shortestMatch(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpLiteral:
		return string(re.Rune)
	case syntax.OpCharClass:
		return string(re.Rune[0])
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return "x"
	case syntax.OpCapture, syntax.OpPlus, syntax.OpAlternate:
		return shortestMatch(re.Sub[0])
	case syntax.OpRepeat:
		return strings.Repeat(shortestMatch(re.Sub[0]), re.Min)
	case syntax.OpConcat:
		var text strings.Builder
		for _, part := range re.Sub {
			text.WriteString(shortestMatch(part))
		}
		return text.String()
	}
	return ""
}
