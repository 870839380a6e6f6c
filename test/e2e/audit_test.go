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

// operatorUser is the user name of the operator.
const operatorUser = "system:serviceaccount:" + system + ":appmarket"

const (
	listsNotStreamed = "informers list where the API server does not stream lists"
	ownerReferences  = "an admission plugin requires it when an owner reference blocks deletion"
)

// unusedRights are permissions in config/rbac/role.yaml that this run may not use, with the reasons.
var unusedRights = map[string]string{
	"list namespaces":                                     listsNotStreamed,
	"list appinfos.appmarket.io":                          listsNotStreamed,
	"list appinstalltasks.appmarket.io":                   listsNotStreamed,
	"list appinstances.appmarket.io":                      listsNotStreamed,
	"list marketsources.appmarket.io":                     listsNotStreamed,
	"list customresourcedefinitions.apiextensions.k8s.io": listsNotStreamed,
	"list ingressclasses.networking.k8s.io":               listsNotStreamed,
	"create appinfos.appmarket.io":                        "the audit log shows patch if server-side apply creates an object",
	"update appinstalltasks/finalizers.appmarket.io":      ownerReferences,
	"update marketsources/finalizers.appmarket.io":        ownerReferences,
	"delete appinfos.appmarket.io":                        "of apps that a source no longer lists",
	"delete appinstalltasks.appmarket.io":                 "of tasks with a time to live",
	"patch appinstalltasks.appmarket.io":                  "cancels the tasks of dependencies",
	"get appinstalltasks.appmarket.io":                    "of tasks that the cache may not have yet",
	"get appinstances.appmarket.io":                       "of instances that the cache may not have yet",
	"patch events.events.k8s.io":                          "of an event that is repeated within minutes",
	"get serviceaccounts":                                 "preflight: the service account of a hook",
	"get clusterroles.rbac.authorization.k8s.io":          "preflight: the role that an app binds to",
	"get roles.rbac.authorization.k8s.io":                 "preflight: the role that an app binds to",
	"list nodepools.karpenter.sh":                         "preflight: only with Karpenter",
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
	It("has exactly the permissions that it uses", func() {
		used, refused := readRequests()
		Expect(refused).To(BeEmpty(), "requests that the API server denied")
		text, err := os.ReadFile(fixture.Path("config/rbac/role.yaml"))
		Expect(err).NotTo(HaveOccurred())
		role := rbacv1.ClusterRole{}
		Expect(yaml.UnmarshalStrict(text, &role)).To(Succeed())
		rights := formatRights(role.Rules)
		unused := slices.DeleteFunc(slices.Clone(rights), func(right string) bool {
			return used[right] || unusedRights[right] != ""
		})
		addLine("%d permissions", len(rights))
		Expect(unused).To(BeEmpty(), "permissions that the operator did not use")
		for right := range unusedRights {
			Expect(rights).To(ContainElement(right), "permissions of the role")
		}
	})
}

// readRequests reads the audit log. It returns the permissions that the operator used as itself, and
// the denied requests, including the impersonated ones.
func readRequests() (used map[string]bool, refused []string) {
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
		if e.User.Username != operatorUser || e.ObjectRef == nil ||
			e.RequestReceivedTimestamp.Before(auditedFrom) || e.RequestReceivedTimestamp.After(auditedTo) {
			continue
		}
		count++
		if e.ResponseStatus.Code == http.StatusForbidden {
			refused = append(refused, fmt.Sprintf("%s %s as %v: %s", e.Verb, e.RequestURI, e.ImpersonatedUser, e.ResponseStatus.Message))
			continue
		}
		if e.ImpersonatedUser != nil {
			used[formatRight("", "serviceaccounts", "impersonate")] = true
			continue
		}
		resource := e.ObjectRef.Resource
		if e.ObjectRef.Subresource != "" {
			resource += "/" + e.ObjectRef.Subresource
		}
		used[formatRight(e.ObjectRef.APIGroup, resource, e.Verb)] = true
	}
	Expect(lines.Err()).NotTo(HaveOccurred())
	Expect(count).To(BeNumerically(">", 100), "requests of the operator")
	return used, refused
}

// formatRights returns the permissions of rules, one for each resource and verb.
func formatRights(rules []rbacv1.PolicyRule) []string {
	var all []string
	for _, rule := range rules {
		for _, group := range rule.APIGroups {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					all = append(all, formatRight(group, resource, verb))
				}
			}
		}
	}
	return all
}

func formatRight(group, resource, verb string) string {
	if group != "" {
		resource += "." + group
	}
	return verb + " " + resource
}
