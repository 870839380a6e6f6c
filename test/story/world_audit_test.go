package story_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// A trail is a position in the audit log of the API server. The entries after it were logged after
// the trail was taken.
type trail int64

// asked is a request in the audit log.
type asked struct {
	Verb      string
	UserAgent string
	ObjectRef struct{ Resource, Subresource, Namespace, Name string }
}

func (a asked) String() string {
	return strings.TrimSuffix(fmt.Sprintf("%s %s/%s %s", a.Verb, a.ObjectRef.Resource, a.ObjectRef.Subresource, a.ObjectRef.Name), " ")
}

// ours reports whether the request is from the operator, including impersonated requests. Helm's
// client is recognized by the default user agent of Go, which no other client uses here.
func (a asked) ours() bool {
	return strings.HasPrefix(a.UserAgent, "appmarket/") || strings.HasPrefix(a.UserAgent, "Go-http-client/")
}

func (a asked) writes() bool { return !slices.Contains([]string{"get", "list", "watch"}, a.Verb) }

func auditLog() string { return local.AuditLog() }

func takeTrail() trail {
	GinkgoHelper()
	info, err := os.Stat(auditLog())
	Expect(err).NotTo(HaveOccurred())
	return trail(info.Size())
}

// in returns the requests since the trail was taken that concern a namespace and that pick selects.
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

// writes returns the writes of the operator in the namespaces.
func (t trail) writes(namespaces ...string) []asked {
	GinkgoHelper()
	var found []asked
	for _, namespace := range namespaces {
		found = append(found, t.in(namespace, func(a asked) bool { return a.ours() && a.writes() })...)
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

// keepTheContract checks every object in the namespaces against the status contract.
func keepTheContract(ctx context.Context, namespaces ...string) {
	GinkgoHelper()
	local.CheckContract(ctx, namespaces...)
}
