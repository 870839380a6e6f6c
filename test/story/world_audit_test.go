package story_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/expect"
)

// A trail is a place in the audit log of the API server: what comes behind it was
// asked after the trail was taken.
type trail int64

// asked is a request as the API server noted it.
type asked struct {
	Verb      string
	UserAgent string
	ObjectRef struct{ Resource, Subresource, Namespace, Name string }
}

func (a asked) String() string {
	return strings.TrimSuffix(fmt.Sprintf("%s %s/%s %s", a.Verb, a.ObjectRef.Resource, a.ObjectRef.Subresource, a.ObjectRef.Name), " ")
}

// ours reports whether the operator asked, with its own rights or a tenant's. Helm
// does not say who it is when it writes objects, and nobody else is that shy.
func (a asked) ours() bool {
	return strings.HasPrefix(a.UserAgent, "appmarket/") || strings.HasPrefix(a.UserAgent, "Go-http-client/")
}

func (a asked) writes() bool { return !slices.Contains([]string{"get", "list", "watch"}, a.Verb) }

func auditLog() string { return filepath.Join(scratch, "cluster", "audit.log") }

func takeTrail() trail {
	GinkgoHelper()
	info, err := os.Stat(auditLog())
	Expect(err).NotTo(HaveOccurred())
	return trail(info.Size())
}

// in are the requests since the trail was taken that concern a namespace and that
// pick picks.
func (t trail) in(namespace string, pick func(asked) bool) []asked {
	GinkgoHelper()
	text, err := os.ReadFile(auditLog())
	Expect(err).NotTo(HaveOccurred())
	Expect(len(text)).To(BeNumerically(">=", int(t)), "the audit log was rotated")
	var found []asked
	for line := range bytes.Lines(text[t:]) {
		if !bytes.Contains(line, []byte(namespace)) || !bytes.HasSuffix(line, []byte("\n")) {
			continue
		}
		var a asked
		Expect(json.Unmarshal(line, &a)).To(Succeed())
		if a.ObjectRef.Namespace == namespace && pick(a) {
			found = append(found, a)
		}
	}
	return found
}

// writes are those of the operator in the namespaces.
func (t trail) writes(namespaces ...string) []asked {
	GinkgoHelper()
	var found []asked
	for _, namespace := range namespaces {
		found = append(found, t.in(namespace, func(a asked) bool { return a.ours() && a.writes() })...)
	}
	return found
}

// objects are all that there is of the four kinds in the namespaces.
func objects(ctx context.Context, namespaces ...string) []v1alpha1.Object {
	GinkgoHelper()
	var found []v1alpha1.Object
	for _, namespace := range namespaces {
		in := client.InNamespace(namespace)
		var sources v1alpha1.MarketSourceList
		Expect(cluster.List(ctx, &sources, in)).To(Succeed())
		for i := range sources.Items {
			found = append(found, &sources.Items[i])
		}
		for _, app := range appsIn(ctx, namespace) {
			found = append(found, app)
		}
		var instances v1alpha1.AppInstanceList
		Expect(cluster.List(ctx, &instances, in)).To(Succeed())
		for i := range instances.Items {
			found = append(found, &instances.Items[i])
		}
		var tasks v1alpha1.AppInstallTaskList
		Expect(cluster.List(ctx, &tasks, in)).To(Succeed())
		for i := range tasks.Items {
			found = append(found, &tasks.Items[i])
		}
	}
	return found
}

func appsIn(ctx context.Context, namespace string) []*v1alpha1.AppInfo {
	GinkgoHelper()
	var list v1alpha1.AppInfoList
	Expect(cluster.List(ctx, &list, client.InNamespace(namespace))).To(Succeed())
	var apps []*v1alpha1.AppInfo
	for i := range list.Items {
		apps = append(apps, &list.Items[i])
	}
	return apps
}

// keepTheContract checks every object of the namespaces against the contract of
// status. The addresses of the servers of a story stand in for those that people
// write into a source; that they have ports is no fault of a message.
func keepTheContract(ctx context.Context, namespaces ...string) {
	GinkgoHelper()
	found := objects(ctx, namespaces...)
	Expect(found).NotTo(BeEmpty())
	for _, o := range found {
		conditions := o.GetConditions()
		for i := range conditions {
			conditions[i].Message = shopAddress.ReplaceAllString(conditions[i].Message, "http://shop.example/")
		}
		o.SetConditions(conditions)
		expect.Contract(NewGomega(Fail), o)
	}
}
