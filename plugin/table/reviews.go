package table

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Reviews returns the table of apps that are reviewed, sorted by name.
func Reviews(apps []v1alpha1.AppInfo) *metav1.Table {
	t := newTable("App", "Listing", "Can Be Listed", "Denied", "Warned", "Status", "+Market", "+Changed By")
	slices.SortFunc(apps, func(a, b v1alpha1.AppInfo) int {
		return strings.Compare(a.Name+"/"+a.Namespace, b.Name+"/"+b.Namespace)
	})
	for i := range apps {
		app, review := &apps[i], apps[i].Status.Review
		var counts v1alpha1.AuditCounts
		for _, version := range app.Status.Versions {
			if version.Version == review.Version && version.Audit != nil {
				counts = *version.Audit
			}
		}
		status := ""
		if c := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionListed); c != nil {
			status = c.Message
		}
		t.addRow(app.Spec.SourceRef.Name+"/"+app.Spec.App, string(review.Listing), fmt.Sprint(review.CanBeListed),
			fmt.Sprint(counts.Denied), fmt.Sprint(counts.Warned), cutCell(status), app.Namespace, review.ChangedBy)
	}
	return &t.Table
}

// Findings returns the table of the findings of an audit.
func Findings(findings []v1alpha1.AuditFinding) *metav1.Table {
	t := newTable("Effect", "Rule", "Object", "Message")
	for _, finding := range findings {
		t.addRow(string(finding.Effect), finding.Rule, finding.Object, finding.Message)
	}
	return &t.Table
}

// ReviewedDependencies returns the table of the dependencies of an app, direct and indirect.
func ReviewedDependencies(dependencies []v1alpha1.ReviewedDependency) *metav1.Table {
	t := newTable("App", "Requires", "Versions", "Found", "Problem")
	for _, d := range dependencies {
		t.addRow(d.App, d.Requires, d.Versions, d.Found, d.Problem)
	}
	return &t.Table
}
