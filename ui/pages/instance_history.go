package pages

import (
	"net/url"
	"slices"
	"strconv"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/transitions"
	"github.com/appmarket/operator/ui/kube"
)

// historyRow is an operation of an instance.
type historyRow struct {
	v1alpha1.HistoryEntry

	// CompareURL compares the version with the installed one, and RollbackURL restores the revision. Both are empty if
	// that is not possible.
	CompareURL, RollbackURL string
}

// showHistory adds the operations, with the comparison of their versions with the installed one as far as both are
// published and the user can get the app.
func showHistory(r *request, v *instanceView) error {
	app, err := findApp(r, v.Instance)
	if err != nil {
		return err
	}
	isPublished := func(version string) bool {
		return app != nil && slices.ContainsFunc(app.Status.Versions, func(each v1alpha1.PublishedVersion) bool { return each.Version == version })
	}
	revisions := map[int32]bool{}
	if v.admitsAction("rollback") {
		for _, entry := range transitions.RollbackRevisions(v.Instance) {
			revisions[entry.Revision] = true
		}
	}
	present := v.Instance.Status.Version
	for _, entry := range v.Instance.Status.History {
		row := historyRow{HistoryEntry: entry}
		if version := entry.Operation.Version; version != present && isPublished(version) && isPublished(present) {
			row.CompareURL = compareURL(app, version, present)
		}
		if revisions[entry.Revision] {
			row.RollbackURL = actionURL(v.Instance.Namespace, v.Instance.Name, "rollback") +
				queryOf(url.Values{"choice": {strconv.Itoa(int(entry.Revision))}})
		}
		v.History = append(v.History, row)
	}
	return nil
}

// showDrift notes whether the user can change the policy.
func showDrift(r *request, v *instanceView) (err error) {
	v.CanChange, err = r.Allows(r.Context(), "patch", kube.Instances, v.Instance.Namespace, v.Instance.Name)
	return err
}

// PolicyURL returns the URL of the form that sets the drift policy, with a policy selected unless it is empty.
func (v *instanceView) PolicyURL(policy string) string {
	return instanceChangeURL(v.Instance.Namespace, v.Instance.Name, "drift") + queryOf(url.Values{"policy": {policy}})
}
