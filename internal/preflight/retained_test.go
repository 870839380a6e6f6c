package preflight_test

import (
	"fmt"
	"testing"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/preflight"
)

func TestRetainedClaims(t *testing.T) {
	const spec = "{storageClassName: gone, resources: {requests: {storage: 5Gi}}}"
	claim := "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: " + spec
	set := func(more string) string {
		return fmt.Sprintf("apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec: {replicas: 2, %stemplate: {spec: {containers: [{name: a}]}}, volumeClaimTemplates: [{metadata: {name: disk}, spec: %s}]}", more, spec)
	}
	of := func(namespace, kind string, names ...string) []v1alpha1.ObjectReference {
		var all []v1alpha1.ObjectReference
		for _, name := range names {
			all = append(all, objectRef("v1", kind, namespace, name))
		}
		return all
	}
	claims := func(names ...string) []v1alpha1.ObjectReference { return of("team", "PersistentVolumeClaim", names...) }
	refused := func(storage string) []want {
		return []want{{v1alpha1.ReasonStorageClassNotFound, false, []string{`"gone"`}}, {v1alpha1.ReasonQuotaExceeded, false, []string{"requested: requests.storage=" + storage}}}
	}
	for _, c := range []struct {
		why, text string
		retained  []v1alpha1.ObjectReference
		wants     []want
	}{
		{"nothing is retained", claim, nil, refused("5Gi")},
		{"the claim is", claim, claims("data"), nil},
		{"one of another name is", claim, claims("other"), refused("5Gi")},
		{"one of another namespace is", claim, of("other", "PersistentVolumeClaim", "data"), refused("5Gi")},
		{"something else of that name is", claim, of("team", "Secret", "data"), refused("5Gi")},
		{"nothing of a set is", set(""), nil, refused("10Gi")},
		{"all of a set are", set(""), claims("disk-db-0", "disk-db-1"), nil},
		{"one of a set is, and listed twice", set(""), claims("disk-db-1", "disk-db-1"), refused("5Gi")},
		{"those that the set had when it was larger", set(""), claims("disk-db-0", "disk-db-2", "disk-db-3"), refused("5Gi")},
		{"claims of a set with another first ordinal", set("ordinals: {start: 2}, "), claims("disk-db-2", "disk-db-3"), nil},
		{"claims of other sets and templates are", set(""), claims("disk-db-a-0", "disk-db-", "log-db-0", "disk-db", "data"), refused("10Gi")},
	} {
		f, w := newFacts(), newRequest(c.text)
		f.Quotas = []preflight.Quota{{Name: "all", Hard: parseResources("requests.storage=10Gi"), Used: parseResources("requests.storage=10Gi")}}
		w.Retained = c.retained
		expectProblems(t, c.why, checkRequest(t, w, f), c.wants...)
	}
}
