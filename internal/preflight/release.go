package preflight

import (
	"slices"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Record is the latest revision of a Helm release.
type Record struct {
	// Status is the status of the release, such as deployed.
	Status string
	// Instance is the AppInstance that the release belongs to, or "" for a release of the
	// helm command.
	Instance string
}

// Statuses of Helm releases.
const (
	statusDeployed    = "deployed"
	statusUninstalled = "uninstalled"
)

// Releases returns the names of the releases to look up: the releases to adopt, and the
// releases that the app creates.
func (d *Requirements) Releases() []string {
	names := slices.Clone(d.request.Adopted)
	if !d.request.Replaces {
		for _, unit := range d.request.Units {
			if unit.Release != "" {
				names = append(names, unit.Release)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// checkReleases reports existing releases with a name that the app needs, and releases that
// cannot be adopted. It reports nothing if the releases cannot be read.
func (d *Requirements) checkReleases(facts *Facts) []Problem {
	if facts.Records == nil {
		return nil
	}
	var problems []Problem
	for _, name := range d.Releases() {
		record, exists := facts.Records[name]
		exists = exists && record.Status != statusUninstalled
		if slices.Contains(d.request.Adopted, name) {
			problems = append(problems, d.checkAdopted(name, record, exists)...)
		} else if exists && record.Instance != d.request.Instance {
			problems = append(problems, d.releaseTakenProblem(name, record))
		}
	}
	return problems
}

// checkAdopted returns the reason why a release cannot be adopted.
func (d *Requirements) checkAdopted(name string, record Record, exists bool) []Problem {
	namespace := d.request.Tenant.Namespace
	switch {
	case !exists:
		return []Problem{newFinalProblem(v1alpha1.ReasonAdoptFailed,
			"Helm release %q not found in namespace %q; use action Install", name, namespace)}
	case record.Instance != "" && record.Instance != d.request.Instance:
		return []Problem{newFinalProblem(v1alpha1.ReasonAdoptFailed,
			"Helm release %q in namespace %q belongs to instance %q and cannot be adopted; use that instance", name, namespace, record.Instance)}
	case record.Status != statusDeployed:
		return []Problem{newFinalProblem(v1alpha1.ReasonAdoptFailed,
			"Helm release %q in namespace %q has status %q and cannot be adopted; complete it with helm upgrade or helm rollback first", name, namespace, record.Status)}
	}
	return nil
}

// releaseTakenProblem returns the problem of an existing release with a name that the app needs.
func (d *Requirements) releaseTakenProblem(name string, record Record) Problem {
	namespace := d.request.Tenant.Namespace
	if record.Instance != "" {
		return newFinalProblem(v1alpha1.ReasonAlreadyInstalled,
			"Helm release %q in namespace %q belongs to instance %q; use another name for the instance", name, namespace, record.Instance)
	}
	return newFinalProblem(v1alpha1.ReasonAlreadyInstalled,
		"Helm release %q already exists in namespace %q; adopt it with action Adopt, remove it with helm uninstall, or use another name for the instance", name, namespace)
}
