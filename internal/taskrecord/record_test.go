package taskrecord_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/taskrecord"
)

func TestRecordIsReadAsWritten(t *testing.T) {
	for _, want := range []taskrecord.Record{
		{Task: "install"},
		{Task: "restart", PreviousRestart: new(metav1.NewTime(time.Unix(1_800_000_000, 0)))},
		{Task: strings.Repeat("ü", 253), UID: strings.Repeat("u", 128), Hash: strings.Repeat("h", 128), PreviousRevision: 1<<31 - 1, RevertReason: v1alpha1.ReasonCanceled},
	} {
		g := NewWithT(t)
		instance := &v1alpha1.AppInstance{}
		g.Expect(taskrecord.WriteRecord(instance, want)).To(Succeed())
		g.Expect(taskrecord.ReadRecord(instance)).To(Equal(want))
	}
}

func TestWriteRecordKeepsOtherAnnotations(t *testing.T) {
	g := NewWithT(t)
	instance := &v1alpha1.AppInstance{}
	instance.Annotations = map[string]string{v1alpha1.KeepReleasesAnnotation: "true"}
	g.Expect(taskrecord.WriteRecord(instance, taskrecord.Record{Task: "install", UID: "1", PreviousRevision: 2})).To(Succeed())
	g.Expect(instance.Annotations).To(Equal(map[string]string{
		v1alpha1.KeepReleasesAnnotation: "true", "appmarket.io/task": `{"task":"install","uid":"1","previousRevision":2}`,
	}), "the form of the annotation is documented")
}

func TestReadRecord(t *testing.T) {
	for _, c := range []struct {
		why, value string
		want       taskrecord.Record // zero if the value is invalid
	}{
		{why: "only the name is required", value: `{"task":"a"}`, want: taskrecord.Record{Task: "a"}},
		{why: "a later version may add fields", value: `{"task":"a","more":[1]}`, want: taskrecord.Record{Task: "a"}},
		{why: "a name as text", value: "install"},
		{why: "no value", value: ""},
		{why: "a list", value: "[]"},
		{why: "null", value: "null"},
		{why: "two values", value: `{"task":"a"}{"task":"b"}`},
		{why: "another type", value: `{"task":{"name":"a"}}`},
		{why: "a revision that no int32 can have", value: `{"task":"a","previousRevision":2147483648}`},
		{why: "no task", value: `{"uid":"1"}`},
		{why: "a time in another form", value: `{"task":"a","previousRestart":"yesterday"}`},
		{why: "a negative revision", value: `{"task":"a","previousRevision":-1}`},
		{why: "a reason that no status may have", value: `{"task":"a","revertReason":"it\nfailed"}`},
		{why: "a long name", value: `{"task":"` + strings.Repeat("a", 254) + `"}`},
		{why: "a long UID", value: `{"task":"a","uid":"` + strings.Repeat("a", 129) + `"}`},
		{why: "a long hash", value: `{"task":"a","hash":"` + strings.Repeat("a", 129) + `"}`},
		{why: "a long reason", value: `{"task":"a","revertReason":"` + strings.Repeat("a", 129) + `"}`},
		{why: "a long value", value: `{"task":"a"` + strings.Repeat(" ", 1<<18) + `}`},
		{why: "a deep value", value: strings.Repeat("[", 1<<18)},
	} {
		t.Run(c.why, func(t *testing.T) {
			g := NewWithT(t)
			instance := &v1alpha1.AppInstance{}
			instance.Annotations = map[string]string{v1alpha1.TaskAnnotation: c.value}
			got, err := taskrecord.ReadRecord(instance)
			g.Expect(got).To(Equal(c.want))
			if c.want.Task != "" {
				g.Expect(err).NotTo(HaveOccurred())
				return
			}
			g.Expect(err).To(HaveOccurred())
			g.Expect(err.Error()).To(And(HavePrefix(`metadata.annotations["appmarket.io/task"]: `), WithTransform(utf8.RuneCountInString, BeNumerically("<", 120))),
				"the error names the annotation and is short")
		})
	}
}

func TestReadRecordOfNoTask(t *testing.T) {
	g := NewWithT(t)
	g.Expect(taskrecord.ReadRecord(&v1alpha1.AppInstance{})).To(BeZero())
}

func TestIsReverted(t *testing.T) {
	g := NewWithT(t)
	g.Expect(taskrecord.Record{Task: "a"}.IsReverted()).To(BeFalse())
	g.Expect(taskrecord.Record{Task: "a", RevertReason: v1alpha1.ReasonCanceled}.IsReverted()).To(BeTrue())
}
