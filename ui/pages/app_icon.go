package pages

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"image"
	"image/png"
	"net/http"
	"net/url"
	"time"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/images"
	"github.com/appmarket/operator/ui/kube"
)

// iconWait is the time for which a request waits for an icon. A browser has few connections, and the page
// shows a letter until the icon is there.
const iconWait = time.Second

// Times for which a browser keeps an icon, and an answer without an icon.
const (
	cacheIcon = "private, max-age=86400"
	cacheMiss = "private, max-age=600"
)

// noIcon is a transparent image. An error would be reported in the console of the browser for each app
// without an icon.
var noIcon = mustEncodePixel()

func mustEncodePixel() []byte {
	var out bytes.Buffer
	if err := png.Encode(&out, image.NewNRGBA(image.Rect(0, 0, 1, 1))); err != nil {
		panic(err) // A buffer accepts every write.
	}
	return out.Bytes()
}

// iconURL returns the URL of the icon of an app, empty if the address of the icon cannot be fetched or the
// pages do not fetch icons. It changes with the address.
func (s *Server) iconURL(namespace, name, address string) string {
	if s.Images == nil || !images.IsFetchable(address) {
		return ""
	}
	digest := sha256.Sum256([]byte(address))
	return pathOf("img", namespace, name, "icon") + queryOf(url.Values{"v": {hex.EncodeToString(digest[:4])}})
}

// addIcons adds the URLs of the icons to a list of apps.
func (s *Server) addIcons(d *discoverView) {
	for i := range d.Cards {
		card := &d.Cards[i]
		card.IconURL = s.iconURL(card.Namespace, card.Name, card.Icon)
	}
}

// instanceIconURL returns the URL of the icon of the app of an instance, empty if there is none or if the user
// cannot list the app.
func instanceIconURL(r *request, instance *v1alpha1.AppInstance) string {
	ref := instance.Spec.AppRef
	namespace := cmp.Or(ref.Namespace, instance.Namespace)
	app := r.server.Cluster.FindApp(namespace, ref.AppInfoName())
	if app == nil {
		return ""
	}
	address := r.server.iconURL(namespace, app.Name, app.Icon)
	if address == "" {
		return ""
	}
	// Without an answer of the API server, the page shows a letter.
	if allowed, err := r.Allows(r.Context(), "list", kube.Apps, namespace, ""); err != nil || !allowed {
		return ""
	}
	return address
}

// serveIcon serves the icon of an app that the user can list. The address comes from the app, not from the
// request.
func (s *Server) serveIcon(w http.ResponseWriter, r *request) {
	namespace := r.PathValue("namespace")
	allowed, err := r.Allows(r.Context(), "list", kube.Apps, namespace, "")
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	app := s.Cluster.FindApp(namespace, r.PathValue("app"))
	if !allowed || app == nil || s.Images == nil {
		s.writeProblem(w, r, notFound(r, "problem.noApp", "/apps", "problem.showApps"))
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), iconWait)
	defer cancel()
	icon, err := s.Images.Icon(ctx, app.Icon)
	caching := cacheIcon
	switch {
	case err != nil: // It is still fetched.
		icon, caching = noIcon, "no-store"
	case icon == nil:
		icon, caching = noIcon, cacheMiss
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Cache-Control", caching)
	_, _ = w.Write(icon) // The client is gone if it fails.
}
