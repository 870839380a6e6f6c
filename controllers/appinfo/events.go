package appinfo

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/text"
)

// maxNamed is the maximum number of names that an event lists.
const maxNamed = 5

// emitEvents emits events about published versions and changed images, and about fields that
// are removed because status is too large. If the hydration succeeded, the event of the new
// versions replaces the event of the Ready condition.
func (s *scope) emitEvents(before []v1alpha1.AppImage, failure error) {
	if len(s.published) == 0 {
		return
	}
	if len(s.renewed) > 0 {
		report := s.statusWriter.Report
		if failure == nil {
			report = func(severity, reason, message string) {
				s.statusWriter.Event(v1alpha1.ConditionReady, severity, reason, message)
			}
		}
		report(corev1.EventTypeNormal, v1alpha1.ReasonPublished, publishedMessage(s.renewed))
	}
	if changes := imageChanges(before, s.app.Status.Images); len(before) > 0 && len(changes) > 0 {
		s.statusWriter.Report(corev1.EventTypeNormal, v1alpha1.ReasonAnalyzed,
			"images of version "+s.app.Status.SelectedVersion+": "+formatNames(changes))
	}
	if omitted := fitStatus(&s.app.Status); omitted != "" {
		s.statusWriter.Report(corev1.EventTypeWarning, v1alpha1.ReasonLimitExceeded, omitted)
	}
}

// publishedMessage returns the message of the event about published versions.
func publishedMessage(versions []string) string {
	if len(versions) == 1 {
		return "published version " + versions[0]
	}
	return "published versions " + formatNames(versions)
}

// formatNames lists the first maxNamed names.
func formatNames(list []string) string {
	all := strings.Join(list[:min(len(list), maxNamed)], ", ")
	if further := len(list) - maxNamed; further > 0 {
		all += " and " + text.Count(further, "other", "others")
	}
	return all
}

// imageChanges describes the images that were added or removed or whose digest has changed.
func imageChanges(before, after []v1alpha1.AppImage) []string {
	var changes []string
	find := func(list []v1alpha1.AppImage, name string) int {
		return slices.IndexFunc(list, func(i v1alpha1.AppImage) bool { return i.Name == name })
	}
	for _, image := range after {
		switch at := find(before, image.Name); {
		case at < 0:
			changes = append(changes, "added "+image.Name)
		case before[at].Digest != image.Digest && image.Digest != "" && before[at].Digest != "":
			changes = append(changes, "changed "+image.Name+" to "+image.Digest)
		}
	}
	for _, image := range before {
		if find(after, image.Name) < 0 {
			changes = append(changes, "removed "+image.Name)
		}
	}
	return changes
}
