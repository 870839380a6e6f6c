package preflight

import (
	"github.com/Masterminds/semver/v3"

	"github.com/appmarket/operator/api/v1alpha1"
)

// checkKubernetes compares the version of the cluster with the constraint of each chart, as
// Helm does.
func (d *Requirements) checkKubernetes(facts *Facts) []Problem {
	if facts.Version == "" {
		return nil
	}
	var problems []Problem
	for _, unit := range d.request.Units {
		if unit.KubeVersion == "" || IsCompatible(unit.KubeVersion, facts.Version) {
			continue
		}
		problems = append(problems, newFinalProblem(v1alpha1.ReasonIncompatibleKubernetes,
			"chart %q requires Kubernetes %s, but the cluster has %s; use a version of the app that supports the cluster",
			unit.Name, truncateText(unit.KubeVersion), facts.Version))
	}
	return problems
}

// IsCompatible reports whether a version satisfies a constraint. It returns false for invalid
// input, which Helm also rejects.
func IsCompatible(constraint, version string) bool {
	wanted, err := semver.NewConstraint(constraint)
	if err != nil {
		return false
	}
	have, err := semver.NewVersion(version)
	return err == nil && wanted.Check(have)
}
