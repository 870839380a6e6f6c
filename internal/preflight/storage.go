package preflight

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// checkStorage checks whether the storage class of each claim exists. A claim that names a
// volume or an empty class uses a pre-provisioned volume. The claims of an installed app
// are already bound.
func (d *Requirements) checkStorage(facts *Facts) []Problem {
	if d.request.Replaces {
		return nil
	}
	var problems []Problem
	var classless []string
	missing := map[string][]string{}
	var order []string
	for i := range d.claims {
		c := &d.claims[i]
		if c.spec.Spec.VolumeName != "" || d.newClaimCount(c, facts) == 0 {
			continue
		}
		name, named := storageClassName(&c.spec)
		switch {
		case !named && facts.DefaultClass == "" && !d.hasStorageClass("", facts) && len(d.classes) == 0:
			classless = append(classless, c.title)
		case name != "" && !d.hasStorageClass(name, facts):
			if missing[name] == nil {
				order = append(order, name)
			}
			missing[name] = append(missing[name], c.title)
		}
	}
	if len(classless) > 0 {
		problems = append(problems, newTransientProblem(v1alpha1.ReasonStorageClassNotFound,
			"%s: storageClassName is not set, and the cluster has no default StorageClass; set a StorageClass of the cluster (%s) in the values, or set the annotation %s on a StorageClass",
			joinNames(classless), formatStorageClasses(facts), defaultClassAnnotation))
	}
	for _, name := range order {
		problems = append(problems, newTransientProblem(v1alpha1.ReasonStorageClassNotFound,
			"%s: StorageClass %q not found; create it, or set another StorageClass (%s) in the values", joinNames(missing[name]), name, formatStorageClasses(facts)))
	}
	return problems
}

// defaultClassAnnotation is the annotation that marks the default storage class.
const defaultClassAnnotation = "storageclass.kubernetes.io/is-default-class"

func formatStorageClasses(facts *Facts) string {
	if len(facts.StorageClasses) == 0 {
		return "none"
	}
	return joinNames(facts.StorageClasses)
}

// hasStorageClass reports whether the cluster or the app has a storage class with this name or a
// volume of that class.
func (d *Requirements) hasStorageClass(name string, facts *Facts) bool {
	return slices.Contains(facts.StorageClasses, name) || slices.Contains(facts.VolumeClasses, name) || d.classes[name] || d.volumes[name]
}

// storageClassName returns the storage class of a claim, which can be "", and whether it is set.
func storageClassName(claim *corev1.PersistentVolumeClaim) (string, bool) {
	if name, ok := claim.Annotations[corev1.BetaStorageClassAnnotation]; ok {
		return name, true
	}
	if claim.Spec.StorageClassName == nil {
		return "", false
	}
	return *claim.Spec.StorageClassName, true
}
