package preflight

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// checkStorage looks for the class of each volume claim. A claim that names its
// volume, or asks for none of any class, takes a volume that somebody has made. The
// claims of an app that is there already have theirs, which is not free any more.
func (d *Demand) checkStorage(facts *Facts) []Problem {
	if d.wish.Replaces {
		return nil
	}
	var problems []Problem
	var classless []string
	missing := map[string][]string{}
	var order []string
	for i := range d.claims {
		c := &d.claims[i]
		if c.spec.Spec.VolumeName != "" || d.added(c, facts) == 0 {
			continue
		}
		name, named := className(&c.spec)
		switch {
		case !named && facts.DefaultClass == "" && !d.hasClass("", facts) && len(d.classes) == 0:
			classless = append(classless, c.title)
		case name != "" && !d.hasClass(name, facts):
			if missing[name] == nil {
				order = append(order, name)
			}
			missing[name] = append(missing[name], c.title)
		}
	}
	if len(classless) > 0 {
		problems = append(problems, passing(v1alpha1.ReasonStorageClassMissing,
			"%s: no storage class is named, and the cluster has no default one; mark one as default with the annotation %s, or name one in the values (the cluster has %s)",
			listed(classless), defaultClassMark, classes(facts)))
	}
	for _, name := range order {
		problems = append(problems, passing(v1alpha1.ReasonStorageClassMissing,
			"%s: there is no storage class %q; the cluster has %s, and one can be named in the values", listed(missing[name]), name, classes(facts)))
	}
	return problems
}

// defaultClassMark is the annotation by which a storage class is the default one.
const defaultClassMark = "storageclass.kubernetes.io/is-default-class"

func classes(facts *Facts) string {
	if len(facts.StorageClasses) == 0 {
		return "none"
	}
	return listed(facts.StorageClasses)
}

// hasClass reports whether the cluster has a class, the app brings it, or there is a
// volume that says it is of it.
func (d *Demand) hasClass(name string, facts *Facts) bool {
	return slices.Contains(facts.StorageClasses, name) || slices.Contains(facts.VolumeClasses, name) || d.classes[name] || d.volumes[name]
}

// className is the class that a claim names, which may be none on purpose.
func className(claim *corev1.PersistentVolumeClaim) (string, bool) {
	if name, ok := claim.Annotations[corev1.BetaStorageClassAnnotation]; ok {
		return name, true
	}
	if claim.Spec.StorageClassName == nil {
		return "", false
	}
	return *claim.Spec.StorageClassName, true
}
