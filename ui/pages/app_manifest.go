package pages

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/appmarket/operator/ui/images"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/reports"
)

const (
	// maxShots is the number of screenshots that the page of an app shows.
	maxShots = 8
	// shotWait is the time for which a request waits for a screenshot.
	shotWait = 6 * time.Second
)

// manifestReport is the part of the report app.json that is shown.
type manifestReport struct {
	FullDescription string
	Website         string
	PromoteImages   []string
}

// appManifest is what the manifest of an app says in addition to the chart.
type appManifest struct {
	Description template.HTML
	Website     *chartLink
	// Shots are the URLs of the screenshots, on this server.
	Shots []string
}

// addManifest adds what the app manifest of the shown version says. The page is complete without it.
func (v *appView) addManifest(r *request) {
	if v.Shown == nil {
		return
	}
	report, _ := fetchReport(r, v.Shown, reports.App) // The README has the same problem, and the page shows it.
	found, err := decodeManifest(report)
	if err != nil {
		v.Note = r.Text("app.manifestProblem")
		return
	}
	v.Manifest = &appManifest{}
	if found.FullDescription != "" && found.FullDescription != v.Summary.Description {
		v.Manifest.Description = renderMarkdown(r.lang, []byte(found.FullDescription), nil)
	}
	if link := newChartLink(found.Website); link.URL != "" && (v.Chart == nil || v.Chart.Home == nil) {
		v.Manifest.Website = &link
	}
	if r.server.Images == nil {
		return
	}
	for i, address := range found.shots() {
		if images.IsFetchable(address) {
			v.Manifest.Shots = append(v.Manifest.Shots, shotURL(v.App.Namespace, v.App.Name, v.Shown.Version, i, address))
		}
	}
}

func decodeManifest(report []byte) (found manifestReport, err error) {
	if len(report) > 0 {
		err = json.Unmarshal(report, &found)
	}
	return found, err
}

// shots returns the addresses of the screenshots.
func (m manifestReport) shots() []string {
	return m.PromoteImages[:min(len(m.PromoteImages), maxShots)]
}

// shotURL returns the URL of a screenshot of a version. It changes with the address of the screenshot.
func shotURL(namespace, name, version string, number int, address string) string {
	digest := sha256.Sum256([]byte(address))
	return pathOf("img", namespace, name, "shot", strconv.Itoa(number)) + queryOf(url.Values{"version": {version}, "v": {hex.EncodeToString(digest[:4])}})
}

// serveShot serves a screenshot of an app that the user can list. The address comes from the manifest of the app, not
// from the request.
func (s *Server) serveShot(w http.ResponseWriter, r *request) {
	address, err := shotAddress(r)
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), shotWait)
	defer cancel()
	shot, err := s.Images.Shot(ctx, address)
	kind, caching := "image/jpeg", cacheIcon
	switch {
	case err != nil: // It is still fetched.
		shot, kind, caching = noIcon, "image/png", "no-store"
	case shot == nil:
		shot, kind, caching = noIcon, "image/png", cacheMiss
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Cache-Control", caching)
	_, _ = w.Write(shot) // The client is gone if it fails.
}

// shotAddress returns the address of the screenshot of a request.
func shotAddress(r *request) (string, error) {
	namespace, missing := r.PathValue("namespace"), notFound(r, "problem.noApp", "/apps", "problem.showApps")
	allowed, err := r.Allows(r.Context(), "list", kube.Apps, namespace, "")
	if err != nil {
		return "", err
	}
	number, err := strconv.Atoi(r.PathValue("number"))
	if !allowed || err != nil || number < 0 || r.server.Images == nil {
		return "", missing
	}
	app, err := getAppInfo(r, namespace, r.PathValue("app"))
	if err != nil {
		return "", err
	}
	for i := range app.Status.Versions {
		if app.Status.Versions[i].Version != r.URL.Query().Get("version") {
			continue
		}
		report, _ := fetchReport(r, &app.Status.Versions[i], reports.App) // Without the report, there is no screenshot.
		found, err := decodeManifest(report)
		if shots := found.shots(); err == nil && number < len(shots) {
			return shots[number], nil
		}
	}
	return "", missing
}
