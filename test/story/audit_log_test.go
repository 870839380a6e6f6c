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

// An auditPosition is a position in the audit log of the API server.
type auditPosition int64

// auditRequest is a request in the audit log.
type auditRequest struct {
	Verb      string
	UserAgent string
	ObjectRef struct{ Resource, Subresource, Namespace, Name string }
}

func (r auditRequest) String() string {
	return strings.TrimSuffix(fmt.Sprintf("%s %s/%s %s", r.Verb, r.ObjectRef.Resource, r.ObjectRef.Subresource, r.ObjectRef.Name), " ")
}

// isFromOperator reports whether the request is from the operator, including impersonated requests.
// Helm's client is recognized by the default user agent of Go, which no other client uses here.
func (r auditRequest) isFromOperator() bool {
	return strings.HasPrefix(r.UserAgent, "appmarket/") || strings.HasPrefix(r.UserAgent, "Go-http-client/")
}

func (r auditRequest) isWrite() bool {
	return !slices.Contains([]string{"get", "list", "watch"}, r.Verb)
}

func auditLogPath() string { return cluster.AuditLog() }

func currentAuditPosition() auditPosition {
	GinkgoHelper()
	info, err := os.Stat(auditLogPath())
	Expect(err).NotTo(HaveOccurred())
	return auditPosition(info.Size())
}

// requestsIn returns the requests after the position that concern a namespace and that pick selects.
func (p auditPosition) requestsIn(namespace string, pick func(auditRequest) bool) []auditRequest {
	GinkgoHelper()
	text, err := os.ReadFile(auditLogPath())
	Expect(err).NotTo(HaveOccurred())
	Expect(len(text)).To(BeNumerically(">=", int(p)), "the audit log is not rotated")
	var found []auditRequest
	for line := range bytes.Lines(text[p:]) {
		if !bytes.Contains(line, []byte(namespace)) || !bytes.HasSuffix(line, []byte("\n")) {
			continue
		}
		var r auditRequest
		Expect(json.Unmarshal(line, &r)).To(Succeed())
		if r.ObjectRef.Namespace == namespace && pick(r) {
			found = append(found, r)
		}
	}
	return found
}

// operatorWrites returns the writes of the operator in the namespaces after the position.
func (p auditPosition) operatorWrites(namespaces ...string) []auditRequest {
	GinkgoHelper()
	var found []auditRequest
	for _, namespace := range namespaces {
		found = append(found, p.requestsIn(namespace, func(r auditRequest) bool { return r.isFromOperator() && r.isWrite() })...)
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
