package table

import (
	"cmp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Events returns the table of events, oldest first.
func Events(events []corev1.Event, now time.Time) *metav1.Table {
	t := newTable("Last Seen", "Type", "Reason", "Object", "Message")
	slices.SortStableFunc(events, func(a, b corev1.Event) int {
		return cmp.Or(lastSeen(a).Compare(lastSeen(b).Time), strings.Compare(a.Name, b.Name))
	})
	for _, event := range events {
		object := strings.ToLower(event.InvolvedObject.Kind) + "/" + event.InvolvedObject.Name
		t.addRow(ageOf(lastSeen(event), now), event.Type, event.Reason, object, strings.Join(strings.Fields(event.Message), " "))
	}
	return &t.Table
}

// lastSeen returns the time of the last occurrence of an event. Events of the newer API have it in
// the series or in the event time.
func lastSeen(event corev1.Event) metav1.Time {
	switch {
	case event.Series != nil:
		return metav1.Time{Time: event.Series.LastObservedTime.Time}
	case !event.LastTimestamp.IsZero():
		return event.LastTimestamp
	}
	return metav1.Time{Time: event.EventTime.Time}
}
