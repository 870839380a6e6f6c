package release

import (
	"context"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
)

// LargeRecordOwner is the value of the label "owner" of records that are too large for one
// Secret. The helm command does not list them.
const LargeRecordOwner = "appmarket"

// RecordedRevisions returns the revisions of a release for which a record exists in a namespace.
// It reads only the metadata of the records.
func RecordedRevisions(ctx context.Context, reader client.Reader, namespace, name string) (map[int32]bool, error) {
	records := &metav1.PartialObjectMetadataList{}
	records.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("SecretList"))
	owners, err := labels.NewRequirement("owner", selection.In, []string{"helm", LargeRecordOwner})
	if err != nil {
		return nil, err
	}
	selector := labels.SelectorFromSet(labels.Set{"name": name}).Add(*owners)
	if err := reader.List(ctx, records, client.InNamespace(namespace), client.MatchingLabelsSelector{Selector: selector}); err != nil {
		return nil, fmt.Errorf("list the records of Helm release %q: %w", name, err)
	}
	revisions := map[int32]bool{}
	for i := range records.Items {
		if number, err := strconv.ParseInt(records.Items[i].Labels["version"], 10, 32); err == nil {
			revisions[int32(number)] = true
		}
	}
	return revisions, nil
}

// FindLostRevision returns the first release of a history entry whose record Helm has removed. It
// returns nil if all records exist, and the instance can be rolled back to the entry.
func FindLostRevision(ctx context.Context, reader client.Reader, namespace string, revision *v1alpha1.HistoryEntry) (*v1alpha1.ReleaseRevision, error) {
	for i, made := range revision.Releases {
		recorded, err := RecordedRevisions(ctx, reader, namespace, made.Name)
		if err != nil {
			return nil, err
		}
		if !recorded[made.Revision] {
			return &revision.Releases[i], nil
		}
	}
	return nil, nil
}
