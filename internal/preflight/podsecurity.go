package preflight

import (
	"github.com/Masterminds/semver/v3"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/appmarket/operator/api/v1alpha1"
)

// checkPodSecurity evaluates the Pods against the enforced Pod Security level of the
// tenant's namespace, with the evaluator of the API server. Without a label, the default of
// the API server applies, which is assumed to be privileged.
func (d *Requirements) checkPodSecurity(facts *Facts) []Problem {
	none := api.LevelVersion{Level: api.LevelPrivileged, Version: api.LatestVersion()}
	// As in the API server, an invalid label means the strictest level.
	wanted, _ := api.PolicyToEvaluate(facts.NamespaceLabels, api.Policy{Enforce: none, Audit: none, Warn: none})
	level := wanted.Enforce
	if level.Level == api.LevelPrivileged {
		return nil
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), podSecurityVersion(facts.Version))
	if err != nil {
		return []Problem{newTransientProblem(v1alpha1.ReasonPodSecurityViolation, "Pod Security cannot be evaluated: %s", truncateText(err.Error()))}
	}
	var problems []Problem
	for i := range d.workloads {
		w := &d.workloads[i]
		if d.objectNamespace(w.object, facts) != d.request.Tenant.Namespace {
			continue
		}
		result := policy.AggregateCheckResults(evaluator.EvaluatePod(level, &w.pod.ObjectMeta, &w.pod.Spec))
		if result.Allowed {
			continue
		}
		problems = append(problems, newFinalProblem(v1alpha1.ReasonPodSecurityViolation,
			"%s: violates PodSecurity %q: %s; set other values, or have an administrator change the label %s of namespace %q",
			w.object.kindAndName(), level.String(), truncateText(result.ForbiddenDetail()), api.EnforceLevelLabel, d.request.Tenant.Namespace))
	}
	return problems
}

// podSecurityVersion returns the Kubernetes version whose rules apply. The evaluator may contain
// rules that are newer than the API server.
func podSecurityVersion(version string) *api.Version {
	have, err := semver.NewVersion(version)
	if err != nil {
		return nil
	}
	is := api.MajorMinorVersion(int(have.Major()), int(have.Minor()))
	return &is
}
