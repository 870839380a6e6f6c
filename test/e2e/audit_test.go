//go:build e2e

package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/appmarket/operator/test/fixture"
)

// account is the user name of the operator.
const account = "system:serviceaccount:" + system + ":appmarket"

const (
	whereListsAreNotStreamed = "informers list where the API server does not stream lists"
	ownerReferences          = "an admission plugin asks for it when an owner reference blocks deletion"
)

// unseenRights are permissions in config/rbac/role.yaml whose use this run may not show, with the
// reasons.
var unseenRights = map[string]string{
	"list namespaces":                                whereListsAreNotStreamed,
	"list appinfos.appmarket.io":                     whereListsAreNotStreamed,
	"list appinstalltasks.appmarket.io":              whereListsAreNotStreamed,
	"list appinstances.appmarket.io":                 whereListsAreNotStreamed,
	"list marketsources.appmarket.io":                whereListsAreNotStreamed,
	"create appinfos.appmarket.io":                   "the audit log shows patch where server-side apply creates",
	"update appinstalltasks/finalizers.appmarket.io": ownerReferences,
	"update marketsources/finalizers.appmarket.io":   ownerReferences,
	"delete appinfos.appmarket.io":                   "of apps that a source no longer lists",
	"delete appinstalltasks.appmarket.io":            "of tasks with a time to live",
	"patch appinstalltasks.appmarket.io":             "cancels the tasks of dependencies",
	"get appinstalltasks.appmarket.io":               "of tasks that the cache may not have yet",
	"get appinstances.appmarket.io":                  "of instances that the cache may not have yet",
	"patch events.events.k8s.io":                     "of an event that happens again within minutes",
	"get serviceaccounts":                            "preflight: the account of a hook",
	"get clusterroles.rbac.authorization.k8s.io":     "preflight: the role that an app binds to",
	"get roles.rbac.authorization.k8s.io":            "preflight: the role that an app binds to",
	"list nodepools.karpenter.sh":                    "preflight: only with Karpenter",
}

// event contains the used fields of an event in the audit log.
type event struct {
	Verb, RequestURI string
	User             struct{ Username string }
	ImpersonatedUser *struct{ Username string }
	ObjectRef        *struct{ APIGroup, Resource, Subresource string }
	ResponseStatus   struct {
		Code    int
		Message string
	}
	RequestReceivedTimestamp time.Time
}

// auditedFrom and auditedTo are the times at which the installation and the removal of the chart
// started. A removal deletes the permissions of the operator before its Pod has ended.
var auditedFrom, auditedTo time.Time

func auditSteps() {
	It("was refused nothing, and used the rights that it has", func() {
		used, refused := requests()
		Expect(refused).To(BeEmpty(), "requests that the API server answered with 403")
		text, err := os.ReadFile(fixture.Path("config/rbac/role.yaml"))
		Expect(err).NotTo(HaveOccurred())
		role := rbacv1.ClusterRole{}
		Expect(yaml.UnmarshalStrict(text, &role)).To(Succeed())
		rights := rightsOf(role.Rules)
		unused := slices.DeleteFunc(slices.Clone(rights), func(right string) bool {
			return used[right] || unseenRights[right] != ""
		})
		say("%d rights", len(rights))
		Expect(unused).To(BeEmpty(), "rights that the operator did not use")
		for right := range unseenRights {
			Expect(rights).To(ContainElement(right), "rights of the role")
		}
	})
}

// requests reads the audit log. It returns the permissions that the operator used as itself, and
// the denied requests, including the impersonated ones.
func requests() (used map[string]bool, refused []string) {
	GinkgoHelper()
	file, err := os.Open(cluster.AuditLog())
	Expect(err).NotTo(HaveOccurred())
	defer file.Close()
	used = map[string]bool{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	count := 0
	for lines.Scan() {
		var e event
		Expect(json.Unmarshal(lines.Bytes(), &e)).To(Succeed())
		if e.User.Username != account || e.ObjectRef == nil ||
			e.RequestReceivedTimestamp.Before(auditedFrom) || e.RequestReceivedTimestamp.After(auditedTo) {
			continue
		}
		count++
		if e.ResponseStatus.Code == http.StatusForbidden {
			refused = append(refused, fmt.Sprintf("%s %s as %v: %s", e.Verb, e.RequestURI, e.ImpersonatedUser, e.ResponseStatus.Message))
			continue
		}
		if e.ImpersonatedUser != nil {
			used[right("", "serviceaccounts", "impersonate")] = true
			continue
		}
		resource := e.ObjectRef.Resource
		if e.ObjectRef.Subresource != "" {
			resource += "/" + e.ObjectRef.Subresource
		}
		used[right(e.ObjectRef.APIGroup, resource, e.Verb)] = true
	}
	Expect(lines.Err()).NotTo(HaveOccurred())
	Expect(count).To(BeNumerically(">", 100), "requests of the operator")
	return used, refused
}

// rightsOf returns the permissions of rules, one for each resource and verb.
func rightsOf(rules []rbacv1.PolicyRule) []string {
	var all []string
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					all = append(all, right(group, resource, verb))
				}
			}
		}
	}
	return all
}

func right(group, resource, verb string) string {
	if group != "" {
		resource += "." + group
	}
	return verb + " " + resource
}
