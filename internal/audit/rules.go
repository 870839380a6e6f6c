// Package audit evaluates the rules of a market for the rendered objects of an app.
//
// A rule is a CEL expression that must be true, for each object or once for the app. The default rules
// apply unless a market replaces or ignores them. The rules are written by people who administer a
// source, and the objects by the developers of charts, so that neither is trusted: each evaluation has
// a cost limit, all evaluations of a version together have another, and the number of findings is
// bounded. An expression that is invalid, fails or exceeds a limit is a finding with the effect of its
// rule. Costs are computed by CEL, so that the same bytes always lead to the same findings.
package audit

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Rule is a rule with all fields set.
type Rule struct {
	Name       string
	Target     v1alpha1.AuditTarget
	Expression string
	Message    string
	Effect     v1alpha1.AuditEffect
}

// Rules are the rules of a market.
type Rules struct {
	Rules             []Rule
	AllowedRegistries []string
}

// revision is part of the digest. Raise it when the same rules lead to other findings.
const revision = 1

// RulesFor returns the rules of a market: the default rules with the changes of a policy, which may be
// nil, and the other rules of the policy in order.
func RulesFor(policy *v1alpha1.ReviewPolicy) *Rules {
	rules := &Rules{Rules: slices.Clone(defaultRules)}
	if policy == nil {
		return rules
	}
	rules.AllowedRegistries = policy.AllowedRegistries
	for _, given := range policy.Rules {
		at := slices.IndexFunc(rules.Rules, func(r Rule) bool { return r.Name == given.Name })
		if at < 0 {
			at = len(rules.Rules)
			rules.Rules = append(rules.Rules, Rule{
				Name: given.Name, Target: v1alpha1.AuditTargetObject, Effect: v1alpha1.AuditDeny,
				Message: fmt.Sprintf("the expression is not true: %s", given.Expression),
			})
		}
		rule := &rules.Rules[at]
		rule.Target = cmp.Or(given.Target, rule.Target)
		rule.Expression = cmp.Or(given.Expression, rule.Expression)
		rule.Message = cmp.Or(given.Message, rule.Message)
		rule.Effect = cmp.Or(given.Effect, rule.Effect)
	}
	rules.Rules = slices.DeleteFunc(rules.Rules, func(r Rule) bool { return r.Effect == v1alpha1.AuditIgnore })
	return rules
}

// Digest returns the digest of the rules in the form "sha256:<hex>", or "" for nil.
func (r *Rules) Digest() (string, error) {
	if r == nil {
		return "", nil
	}
	text, err := json.Marshal(struct {
		*Rules
		Revision int
	}{r, revision})
	if err != nil {
		return "", fmt.Errorf("encode rules of the audit: %w", err)
	}
	sum := sha256.Sum256(text)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

// defaultRules are the rules that apply unless a market replaces or ignores them.
var defaultRules = []Rule{
	{
		Name: "rendered", Target: v1alpha1.AuditTargetApp, Effect: v1alpha1.AuditDeny,
		Expression: `app.isRendered`,
		Message:    "the objects are unknown, because the chart requires values; set spec.customParams",
	},
	{
		Name: "privileged", Target: v1alpha1.AuditTargetObject, Effect: v1alpha1.AuditDeny,
		Expression: `containers.all(c, c.?securityContext.?privileged.orValue(false) != true)`,
		Message:    "a container is privileged",
	},
	{
		Name: "capabilities", Target: v1alpha1.AuditTargetObject, Effect: v1alpha1.AuditDeny,
		Expression: `containers.all(c, c.?securityContext.?capabilities.?add.orValue([]).all(n, !(n in ['ALL', 'SYS_ADMIN', 'CAP_SYS_ADMIN'])))`,
		Message:    "a container has a capability that gives it control of its node",
	},
	{
		Name: "host-namespaces", Target: v1alpha1.AuditTargetObject, Effect: v1alpha1.AuditDeny,
		Expression: `pod.?hostNetwork.orValue(false) != true && pod.?hostPID.orValue(false) != true && pod.?hostIPC.orValue(false) != true`,
		Message:    "the Pods use the network or the processes of their node",
	},
	{
		Name: "host-path", Target: v1alpha1.AuditTargetObject, Effect: v1alpha1.AuditDeny,
		Expression: `pod.?volumes.orValue([]).all(v, !has(v.hostPath))`,
		Message:    "the Pods mount a directory of their node",
	},
	{
		Name: "cluster-permissions", Target: v1alpha1.AuditTargetApp, Effect: v1alpha1.AuditDeny,
		Expression: `!app.hasClusterRules`,
		Message:    "the roles of the app grant permissions outside of its namespace",
	},
	{
		Name: "image-registry", Target: v1alpha1.AuditTargetApp, Effect: v1alpha1.AuditDeny,
		Expression: `size(allowedRegistries) == 0 || app.images.all(i, allowedRegistries.exists(r, i.startsWith(r + '/')))`,
		Message:    "an image is not in a registry that the market allows",
	},
	{
		Name: "cluster-objects", Target: v1alpha1.AuditTargetApp, Effect: v1alpha1.AuditWarn,
		Expression: `size(app.clusterObjects) == 0`,
		Message:    "the app has objects outside of its namespace",
	},
	{
		Name: "limits", Target: v1alpha1.AuditTargetObject, Effect: v1alpha1.AuditWarn,
		Expression: `containers.all(c, has(c.resources) && has(c.resources.limits) && has(c.resources.limits.memory))`,
		Message:    "a container has no memory limit",
	},
	{
		Name: "license", Target: v1alpha1.AuditTargetApp, Effect: v1alpha1.AuditWarn,
		Expression: `size(app.licenses) > 0`,
		Message:    "neither the app manifest nor the chart names a license; add annotation artifacthub.io/license to Chart.yaml",
	},
	{
		Name: "latest-tag", Target: v1alpha1.AuditTargetApp, Effect: v1alpha1.AuditWarn,
		Expression: `app.images.all(i, !i.endsWith(':latest'))`,
		Message:    "an image has the tag latest, whose content changes",
	},
}
