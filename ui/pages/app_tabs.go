package pages

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/ui/reports"
)

// showVersions adds the offers of the source that are not published, and the comparison of two versions.
func showVersions(r *request, v *appView) {
	if !v.HasReports {
		v.Note = r.Text("app.noRepository")
	}
	v.Compare = newCompareView(r, v.App)
	published := map[string]bool{}
	for i := range v.App.Status.Versions {
		published[v.App.Status.Versions[i].Version] = true
	}
	for _, offer := range v.App.Spec.Offers {
		if !published[offer.Version] {
			v.NotServed = append(v.NotServed, offer)
		}
	}
}

// showImages adds the images: from the status for the selected version, because they are looked up
// again, and from the report for any other version.
func showImages(r *request, v *appView) {
	if v.Shown == nil || v.Shown.Version == v.App.Status.SelectedVersion {
		v.Images.Rows = v.App.Status.Images
		if total := int(v.Summary.ImageCount); total > len(v.Images.Rows) {
			v.Images.Cut = total
		}
	} else if text, ok := v.fetch(r, reports.Images); ok {
		var found []images.Image
		if err := json.Unmarshal(text, &found); err != nil {
			v.Note = r.Text("app.imagesProblem")
			return
		}
		for _, image := range found {
			v.Images.Rows = append(v.Images.Rows, images.ToAppImage(image))
		}
	}
	v.Images.Total = pullBytes(r, v)
}

// pullBytes returns the size of the images of the version, each layer once, 0 if it is unknown.
func pullBytes(r *request, v *appView) int64 {
	if v.Shown == nil || v.Shown.Version == v.App.Status.SelectedVersion {
		if v.Summary.Footprint == nil {
			return 0
		}
		return v.Summary.Footprint.PullBytes
	}
	text, ok := v.fetch(r, reports.Layers)
	if !ok {
		return 0
	}
	list, err := images.DecodeLayers(text)
	if err != nil {
		v.Note = r.Text("app.imagesProblem")
		return 0
	}
	return images.LargestPull(images.PullSizes(list))
}

// serveImageList serves the names of the images of a version, one per line, for copying them to another
// registry.
func (s *Server) serveImageList(w http.ResponseWriter, r *request) {
	app, err := getApp(r)
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	v, err := newAppView(r, app, "Images")
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	// The report has all images, and the status the first ones.
	text, ok := v.fetch(r, reports.Images)
	var names []string
	if ok {
		var found []images.Image
		if err := json.Unmarshal(text, &found); err == nil {
			for _, image := range found {
				names = append(names, image.Name)
			}
		}
	}
	if len(names) == 0 {
		showImages(r, v)
		for _, image := range v.Images.Rows {
			names = append(names, image.Name)
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="images.txt"`)
	w.Header().Set("Content-Security-Policy", policy+"; sandbox")
	for _, name := range names {
		fmt.Fprintln(w, name)
	}
}

// clusterKinds are the kinds without a namespace that charts commonly contain, by their API group.
var clusterKinds = []string{
	"ClusterRole.", "ClusterRoleBinding.", "CustomResourceDefinition.", "Namespace", "PersistentVolume", "StorageClass.", "PriorityClass.",
	"IngressClass.", "ValidatingWebhookConfiguration.", "MutatingWebhookConfiguration.", "ValidatingAdmissionPolicy.", "APIService.",
}

// showPermissions adds the kinds of objects that are not in the namespace of the instance.
func showPermissions(r *request, v *appView) {
	v.addAccess(r)
	for _, kind := range v.Summary.Kinds {
		for _, known := range clusterKinds {
			if kind.Kind == known || strings.HasSuffix(known, ".") && strings.HasPrefix(kind.Kind, known) {
				v.ClusterKind = append(v.ClusterKind, kind)
			}
		}
	}
}

// showValues adds the values of the chart.
func showValues(r *request, v *appView) {
	if text, ok := v.fetch(r, reports.Values); ok {
		v.Text = strings.ToValidUTF8(string(text), "�")
	}
}
