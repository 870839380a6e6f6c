package story_test

import (
	"context"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/test/fixture"
)

// isFromOperator reports whether a request is from the operator, including impersonated requests.
// Helm's client is recognized by the default user agent of Go, which no other client uses here.
func isFromOperator(e fixture.AuditEvent) bool {
	return strings.HasPrefix(e.UserAgent, "appmarket/") || strings.HasPrefix(e.UserAgent, "Go-http-client/")
}

// operatorWrites returns the writes of the operator in the namespaces since a position of the audit
// log.
func operatorWrites(since fixture.AuditPosition, namespaces ...string) []fixture.AuditEvent {
	GinkgoHelper()
	var found []fixture.AuditEvent
	for _, namespace := range namespaces {
		for _, e := range cluster.AuditEvents(since, namespace) {
			if e.ObjectRef.Namespace == namespace && isFromOperator(e) && e.IsWrite() {
				found = append(found, e)
			}
		}
	}
	return found
}

func listApps(ctx context.Context, namespace string) []*v1alpha1.AppInfo {
	GinkgoHelper()
	var list v1alpha1.AppInfoList
	Expect(k8sClient.List(ctx, &list, client.InNamespace(namespace))).To(Succeed())
	var apps []*v1alpha1.AppInfo
	for i := range list.Items {
		apps = append(apps, &list.Items[i])
	}
	return apps
}

// expectStatusContract checks every object in the namespaces against the status contract.
func expectStatusContract(ctx context.Context, namespaces ...string) {
	GinkgoHelper()
	cluster.CheckContract(ctx, namespaces...)
}
