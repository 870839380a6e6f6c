package table

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
)

// Apps returns the table of apps, sorted by source and name. installed contains the versions that
// are installed in the namespace of the user, by AppKey.
func Apps(apps []v1alpha1.AppInfo, installed map[string]string) *metav1.Table {
	t := newTable("App", "Version", "App Version", "Category", "Installed", "Description", "+Market", "+Ready", "+Images", "+Runs Here")
	slices.SortFunc(apps, func(a, b v1alpha1.AppInfo) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Namespace, b.Namespace))
	})
	for i := range apps {
		app := &apps[i]
		summary := app.Status.Summary
		if summary == nil {
			summary = &v1alpha1.AppSummary{}
		}
		ready := meta.FindStatusCondition(app.Status.Conditions, v1alpha1.ConditionReady)
		description := summary.Description
		if ready != nil && ready.Status == metav1.ConditionFalse {
			description = ready.Reason + ": " + ready.Message
		}
		t.addRow(
			app.Spec.SourceRef.Name+"/"+app.Spec.App, app.Status.SelectedVersion, summary.AppVersion, strings.Join(summary.Categories, ","),
			installed[AppKey(app.Namespace, app.Spec.SourceRef.Name, app.Spec.App)], cutCell(description),
			app.Namespace, conditionStatus(app.Status.Conditions, v1alpha1.ConditionReady), fmt.Sprint(summary.ImageCount),
			placementVerdict(app),
		)
	}
	return &t.Table
}

// placementVerdict returns whether an app runs on the cluster, "" if that is unknown.
func placementVerdict(app *v1alpha1.AppInfo) string {
	if app.Status.Placement == nil {
		return ""
	}
	return string(app.Status.Placement.Verdict)
}

// AppKey returns the key of an app in a map.
func AppKey(namespace, source, app string) string { return namespace + "/" + source + "/" + app }

// conditionStatus returns the status of a condition, "" without the condition.
func conditionStatus(conditions []metav1.Condition, name string) string {
	if c := meta.FindStatusCondition(conditions, name); c != nil {
		return string(c.Status)
	}
	return ""
}

// Images returns the table of images of an app.
func Images(images []v1alpha1.AppImage) *metav1.Table {
	return ImagesOfVersions(images, nil)
}

// ImagesOfVersions returns the table of images with the versions of the app that use them, by the name of the image.
func ImagesOfVersions(images []v1alpha1.AppImage, versions map[string][]string) *metav1.Table {
	columns := []string{"Image", "Platforms", "Size", "Problem", "+Digest", "+Layers"}
	if versions != nil {
		columns = slices.Insert(columns, 1, "Versions")
	}
	t := newTable(columns...)
	for _, image := range images {
		cells := []string{
			image.Name, strings.Join(image.Platforms, ","), SizeText(image.LargestPlatformBytes), cutCell(image.Problem), image.Digest, fmt.Sprint(image.Layers),
		}
		if versions != nil {
			cells = slices.Insert(cells, 1, cutCell(strings.Join(versions[image.Name], ",")))
		}
		t.addRow(cells...)
	}
	return &t.Table
}

// Kinds returns the table of the kinds of objects of an app.
func Kinds(kinds []v1alpha1.KindCount) *metav1.Table {
	t := newTable("Kind", "Count")
	for _, kind := range kinds {
		t.addRow(kind.Kind, fmt.Sprint(kind.Count))
	}
	return &t.Table
}

// Texts returns the table of texts with their names, without those that are empty.
func Texts(texts [][2]string) *metav1.Table {
	t := newTable("Name", "Text")
	for _, each := range texts {
		if each[1] != "" {
			t.addRow(each[0], each[1])
		}
	}
	return &t.Table
}

// SizeText returns a number of bytes in decimal units, as registries show sizes.
func SizeText(bytes int64) string {
	switch {
	case bytes == 0:
		return ""
	case bytes < 1e6:
		return fmt.Sprintf("%.1f kB", float64(bytes)/1e3)
	case bytes < 1e9:
		return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(bytes)/1e9)
}

// Versions returns the table of versions of an app.
func Versions(app *v1alpha1.AppInfo, now time.Time) *metav1.Table {
	t := newTable("Version", "App Version", "Images", "Age", "Notes", "+Digest")
	for _, version := range app.Status.Versions {
		var notes []string
		if version.Version == app.Status.SelectedVersion {
			notes = append(notes, "selected")
		}
		if version.Deprecated {
			notes = append(notes, "deprecated")
		}
		if version.Purchase != nil {
			notes = append(notes, "must be purchased")
		}
		age := ""
		if version.PublishedAt != nil {
			age = ageOf(*version.PublishedAt, now)
		}
		t.addRow(version.Version, version.AppVersion, fmt.Sprint(version.ImageCount), age, strings.Join(notes, ", "), version.Digest)
	}
	return &t.Table
}

// Inputs returns the table of inputs.
func Inputs(inputs []v1alpha1.Input) *metav1.Table {
	t := newTable("Name", "Type", "Required", "Default", "Description", "+Options", "+Problem")
	for _, input := range inputs {
		required := ""
		if input.Required {
			required = "required"
		}
		var options []string
		for _, option := range input.Options {
			options = append(options, option.Value)
		}
		description := input.Description
		if description == "" {
			description = input.Title
		}
		t.addRow(input.Name, input.Type, required, input.Default, cutCell(description), strings.Join(options, ","), input.Problem)
	}
	return &t.Table
}
