package appinfo

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/text"
)

// maxStatus is the maximum size of the status of an AppInfo in bytes of JSON. The API
// server accepts several times as much, but every watching client holds it in memory.
const maxStatus = 256 << 10

// fitStatus removes descriptive fields from status, the least important first, until it is
// at most maxStatus. It returns a message about the removed fields, or "" if there are
// none. The reports of the version contain them.
func fitStatus(st *v1alpha1.AppInfoStatus) string {
	var cut []string
	for _, c := range []struct {
		name string
		cut  func(*v1alpha1.AppInfoStatus)
	}{
		{"options of inputs", cutOptions(20)},
		{"options of inputs", cutOptions(0)},
		{"descriptions of inputs", cutInputTexts},
		{"translations", func(st *v1alpha1.AppInfoStatus) { st.Summary.Translations = nil }},
		{"platforms of images", cutPlatforms},
		{"inputs", func(st *v1alpha1.AppInfoStatus) { st.Summary.Inputs = nil }},
		{"images", func(st *v1alpha1.AppInfoStatus) { st.Images = nil }},
		{"the summary", func(st *v1alpha1.AppInfoStatus) {
			st.Summary = &v1alpha1.AppSummary{Title: st.Summary.Title, Type: st.Summary.Type}
		}},
	} {
		before := statusBytes(st)
		if st.Summary == nil || before <= maxStatus {
			break
		}
		c.cut(st)
		if statusBytes(st) < before && !slices.Contains(cut, c.name) {
			cut = append(cut, c.name)
		}
	}
	if len(cut) == 0 {
		return ""
	}
	message := fmt.Sprintf("the description of version %s exceeds %d KiB and omits %s; app.json at status.versions[].reportURL contains all fields",
		st.SelectedVersion, maxStatus>>10, strings.Join(cut, ", "))
	st.Summary.Warnings = append(catalog.FirstItems(st.Summary.Warnings, maxFew-1), text.Limit(message, maxSentence))
	return message
}

func statusBytes(st *v1alpha1.AppInfoStatus) int {
	encoded, err := json.Marshal(st)
	if err != nil {
		return 0 // The client reports the error.
	}
	return len(encoded)
}

func cutOptions(keep int) func(*v1alpha1.AppInfoStatus) {
	return func(st *v1alpha1.AppInfoStatus) {
		for i := range st.Summary.Inputs {
			st.Summary.Inputs[i].Options = catalog.FirstItems(st.Summary.Inputs[i].Options, keep)
		}
	}
}

func cutInputTexts(st *v1alpha1.AppInfoStatus) {
	for i := range st.Summary.Inputs {
		in := &st.Summary.Inputs[i]
		in.Description, in.Default, in.Pattern = "", "", ""
	}
}

func cutPlatforms(st *v1alpha1.AppInfoStatus) {
	for i := range st.Images {
		st.Images[i].Platforms = nil
	}
}
