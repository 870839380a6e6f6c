package appinstalltask

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/admission"
	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/release"
	"github.com/appmarket/operator/internal/transitions"
)

// plannedChanges are the changes of an operation.
type plannedChanges struct {
	objects []v1alpha1.PlannedObject
	// before and after are the rendered versions. before is nil if no version is installed or if
	// the installed version cannot be rendered. Both are nil if the operation installs no version.
	before, after *hydrate.Prepared
}

// planChanges returns what an admitted operation would change. The result is empty for Adopt, which changes
// no object.
func planChanges(ctx context.Context, r *Reconciler, s *scope) (plannedChanges, error) {
	if !listsObjects(s) {
		return plannedChanges{}, nil
	}
	switch {
	case s.action.outcome.Succeeded == transitions.Uninstalled:
		removed, err := uninstalledObjects(ctx, r, s)
		return plannedChanges{objects: removed}, err
	case changedWorkloads[s.task.Spec.Action] != nil:
		return plannedChanges{objects: workloadChanges(s)}, nil
	case s.rollbackEntry != nil:
		changed, err := rollbackChanges(ctx, r, s)
		return plannedChanges{objects: changed}, err
	}
	after, err := renderedObjects(s.rendered.Draft, s.task.Namespace)
	if err != nil {
		return plannedChanges{}, err
	}
	installed, err := renderInstalled(ctx, r, s)
	if err != nil {
		return plannedChanges{}, err
	}
	before, err := installedObjects(s, installed)
	if err != nil {
		return plannedChanges{}, err
	}
	if s.instance != nil {
		addReclaimed(before, after, s.instance)
	}
	return plannedChanges{objects: compareObjects(before, after), before: installed, after: s.rendered}, nil
}

// listsObjects reports whether the plan of the action lists the objects that it changes.
func listsObjects(s *scope) bool {
	return s.action.outcome.Succeeded == transitions.Uninstalled || changedWorkloads[s.task.Spec.Action] != nil ||
		s.rollbackEntry != nil || s.rendered != nil && s.rendered.Draft != nil
}

// comparedObject is an object before or after an operation.
type comparedObject struct {
	reference v1alpha1.ObjectReference
	// digest is the digest of the rendered object. It is zero if the object is only known by its
	// reference.
	digest [sha256.Size]byte
	// isKept is set if Helm does not delete the object.
	isKept bool
	// storage is the storage that a PersistentVolumeClaim requests.
	storage string
}

// comparedObjects are objects by objectKey.
type comparedObjects map[string]comparedObject

// objectKey identifies an object without the version of its API. Objects in the namespace of the
// instance often have no namespace before they are created.
func objectKey(o v1alpha1.ObjectReference, namespace string) string {
	group, _, hasGroup := strings.Cut(o.APIVersion, "/")
	if !hasGroup {
		group = ""
	}
	if o.Namespace == namespace {
		o.Namespace = ""
	}
	return strings.Join([]string{group, o.Kind, o.Namespace, o.Name}, "/")
}

// renderedObjects returns the objects of a draft, without hooks and the definitions in the folder crds,
// which are not part of a release.
func renderedObjects(draft *hydrate.Draft, namespace string) (comparedObjects, error) {
	found := comparedObjects{}
	for _, document := range draft.AllDocuments() {
		if document.Hook || objects.IsCRDFile(document.Path) {
			continue
		}
		err := objects.EachObject(document, func(o objects.Map) error {
			metadata := o.MapAt("metadata")
			reference := v1alpha1.ObjectReference{APIVersion: o.TextAt("apiVersion"), Kind: o.Kind(), Name: o.Name()}
			if !objects.IsClusterScoped[o.Group()+"/"+o.Kind()] {
				reference.Namespace = cmp.Or(metadata.TextAt("namespace"), namespace)
			}
			found[objectKey(reference, namespace)] = comparedObject{
				reference: reference, digest: sha256.Sum256(fmt.Appendf(nil, "%#v", o)), // Keys are sorted.
				isKept:  metadata.MapAt("annotations").TextAt("helm.sh/resource-policy") == "keep",
				storage: requestedStorage(o),
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// addReclaimed adds the objects that were retained by an earlier uninstallation and that belong to the
// instance again after the operation.
func addReclaimed(before, after comparedObjects, instance *v1alpha1.AppInstance) {
	for _, reference := range instance.Status.RetainedObjects {
		key := objectKey(reference, instance.Namespace)
		if _, exists := after[key]; exists {
			before[key] = comparedObject{reference: reference}
		}
	}
}

// renderInstalled renders the installed version with the present values. It returns nil if no version is
// installed, or if the installed version cannot be rendered any more.
func renderInstalled(ctx context.Context, r *Reconciler, s *scope) (*hydrate.Prepared, error) {
	if s.instance == nil || s.instance.Status.Version == "" {
		return nil, nil
	}
	rendered, err := renderPreview(ctx, r, s, s.instance.Status.Version)
	if outcome.Reason(err, "") != "" {
		return nil, nil
	}
	return rendered, err
}

// installedObjects returns the objects in the inventory of the instance, with their content in the
// rendered installed version. If that is unknown, each object that the operation contains is
// reported as changed.
func installedObjects(s *scope, installed *hydrate.Prepared) (comparedObjects, error) {
	found := comparedObjects{}
	for _, reference := range admission.InventoryObjects(s.instance) {
		found[objectKey(reference, s.task.Namespace)] = comparedObject{reference: reference}
	}
	if installed == nil {
		return found, nil
	}
	rendered, err := renderedObjects(installed.Draft, s.task.Namespace)
	if err != nil {
		return nil, err
	}
	for key, object := range rendered {
		if have, exists := found[key]; exists {
			object.reference = have.reference
			found[key] = object
		}
	}
	return found, nil
}

// compareObjects returns the changes that lead from the objects before an operation to those after it,
// sorted by change and object.
func compareObjects(before, after comparedObjects) []v1alpha1.PlannedObject {
	var changes []v1alpha1.PlannedObject
	for key, object := range after {
		have, exists := before[key]
		switch {
		case !exists:
			changes = append(changes, v1alpha1.PlannedObject{Change: v1alpha1.ObjectCreated, Object: object.reference, Storage: object.storage})
		case have.digest != object.digest:
			changes = append(changes, v1alpha1.PlannedObject{Change: v1alpha1.ObjectChanged, Object: have.reference, Storage: object.storage})
		}
	}
	for key, object := range before {
		if _, remains := after[key]; remains {
			continue
		}
		change := v1alpha1.ObjectDeleted
		if object.isKept || isClaim(object.reference) {
			change = v1alpha1.ObjectRetained
		}
		changes = append(changes, v1alpha1.PlannedObject{Change: change, Object: object.reference, Storage: object.storage})
	}
	sortChanges(changes)
	return changes
}

// uninstalledObjects returns the objects that an uninstallation would delete or retain.
func uninstalledObjects(ctx context.Context, r *Reconciler, s *scope) ([]v1alpha1.PlannedObject, error) {
	if s.instance == nil {
		return nil, nil
	}
	deletesData := cmp.Or(s.task.Spec.RequestedDataPolicy(), s.instance.Spec.DataPolicy) == v1alpha1.DataDelete
	listed := map[string]bool{}
	var changes []v1alpha1.PlannedObject
	storage := claimStorage(s.instance)
	add := func(reference v1alpha1.ObjectReference, change v1alpha1.ObjectChange) {
		if key := objectKey(reference, s.task.Namespace); !listed[key] {
			listed[key] = true
			changes = append(changes, v1alpha1.PlannedObject{Change: change, Object: reference, Storage: storage[reference]})
		}
	}
	reader := r.Clients(s.tenant(), knownRecords{s.instance})
	for _, installed := range s.instance.Status.Releases {
		retained, err := reader.ListRetained(ctx, installed.Name)
		if err != nil {
			return nil, err
		}
		for _, reference := range retained {
			if deletesData && release.IsDeletedWithData(s.task.Namespace, reference) {
				add(reference, v1alpha1.ObjectDeleted)
				continue
			}
			add(reference, v1alpha1.ObjectRetained)
		}
	}
	for _, reference := range admission.InventoryObjects(s.instance) {
		add(reference, v1alpha1.ObjectDeleted)
	}
	sortChanges(changes)
	return changes, nil
}

// changeOrder is the order of changes in a plan. Changes that can lose data come first, so that they are
// listed if there are too many.
var changeOrder = []v1alpha1.ObjectChange{v1alpha1.ObjectDeleted, v1alpha1.ObjectRetained, v1alpha1.ObjectCreated, v1alpha1.ObjectChanged}

func sortChanges(changes []v1alpha1.PlannedObject) {
	slices.SortFunc(changes, func(a, b v1alpha1.PlannedObject) int {
		return cmp.Or(
			cmp.Compare(slices.Index(changeOrder, a.Change), slices.Index(changeOrder, b.Change)),
			cmp.Compare(a.Object.Kind, b.Object.Kind), cmp.Compare(a.Object.Namespace, b.Object.Namespace),
			cmp.Compare(a.Object.Name, b.Object.Name), cmp.Compare(a.Object.APIVersion, b.Object.APIVersion),
		)
	})
}
