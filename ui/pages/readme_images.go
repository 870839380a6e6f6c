package pages

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/yuin/goldmark/ast"

	"github.com/appmarket/operator/ui/images"
	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/reports"
)

// maxReadmeImages is the number of images that a README can show.
const maxReadmeImages = 20

// imageURLFunc returns the URL, on this server, of an image of a text. number is its number in the text.
type imageURLFunc func(number int, address string) string

// isReadmeImage reports whether an image of a README is shown. SVG is not supported: most SVG images are badges.
func isReadmeImage(address string) bool {
	parsed, err := url.Parse(address)
	return err == nil && images.IsFetchable(address) && !strings.HasSuffix(strings.ToLower(parsed.Path), ".svg")
}

// imagesOf returns the images of a text that can be shown, in their order, and all others.
func imagesOf(document ast.Node) (shown, others []*ast.Image) {
	_ = ast.Walk(document, func(node ast.Node, entering bool) (ast.WalkStatus, error) { // The function returns no error.
		if found, ok := node.(*ast.Image); ok && entering {
			if len(shown) < maxReadmeImages && isReadmeImage(string(found.Destination)) {
				shown = append(shown, found)
			} else {
				others = append(others, found)
			}
		}
		return ast.WalkContinue, nil
	})
	return shown, others
}

// replaceImages replaces the addresses of images by URLs on this server, and images that are not shown by links with
// their alternative texts. If urlOf is nil, no image is shown.
func replaceImages(document ast.Node, urlOf imageURLFunc) {
	shown, others := imagesOf(document)
	for i, each := range shown {
		if urlOf == nil {
			others = append(others, each)
			continue
		}
		each.Destination = []byte(urlOf(i, string(each.Destination)))
		each.SetAttributeString("loading", []byte("lazy"))
	}
	for _, each := range others {
		replaceByLink(each)
	}
}

// replaceByLink replaces an image by a link to it with its alternative text. In a link, only the text remains.
func replaceByLink(image *ast.Image) {
	link := ast.NewLink()
	link.Destination = image.Destination
	parent, isLink := image.Parent(), false
	for node := parent; node != nil; node = node.Parent() {
		isLink = isLink || node.Kind() == ast.KindLink
	}
	for child := image.FirstChild(); child != nil; {
		next := child.NextSibling()
		if isLink {
			parent.InsertBefore(parent, image, child)
		} else {
			link.AppendChild(link, child)
		}
		child = next
	}
	if isLink {
		parent.RemoveChild(parent, image)
	} else {
		parent.ReplaceChild(parent, image, link)
	}
}

// readmeImageURLs returns the URLs of the images in the README of the shown version, nil if images are not fetched.
func (v *appView) readmeImageURLs(r *request) imageURLFunc {
	if r.server.Images == nil || v.Shown == nil {
		return nil
	}
	return func(number int, address string) string {
		digest := sha256.Sum256([]byte(address))
		return pathOf("img", v.App.Namespace, v.App.Name, "readme", strconv.Itoa(number)) +
			queryOf(url.Values{"version": {v.Shown.Version}, "v": {hex.EncodeToString(digest[:4])}})
	}
}

// serveReadmeImage serves an image of the README of an app that the user can list. The address comes from the README,
// not from the request. Without the image, the browser shows the alternative text.
func (s *Server) serveReadmeImage(w http.ResponseWriter, r *request) {
	address, err := readmeImageAddress(r)
	if err != nil {
		s.writeError(w, r, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), shotWait)
	defer cancel()
	image, err := s.Images.Shot(ctx, address)
	switch {
	case err != nil: // It is still fetched.
		http.Error(w, "the image is still fetched", http.StatusServiceUnavailable)
		return
	case image == nil:
		w.Header().Set("Cache-Control", cacheMiss)
		http.Error(w, "the image is not available", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "image/jpeg")
	w.Header().Set("Cache-Control", cacheIcon)
	_, _ = w.Write(image) // The client is gone if it fails.
}

// readmeImageAddress returns the address of the image of a request.
func readmeImageAddress(r *request) (string, error) {
	namespace, missing := r.PathValue("namespace"), notFound(r, "problem.noApp", "/apps", "problem.showApps")
	allowed, err := r.Allows(r.Context(), "list", kube.Apps, namespace, "")
	if err != nil {
		return "", err
	}
	number, err := strconv.Atoi(r.PathValue("number"))
	if !allowed || err != nil || number < 0 || number >= maxReadmeImages || r.server.Images == nil {
		return "", missing
	}
	app, err := getAppInfo(r, namespace, r.PathValue("app"))
	if err != nil {
		return "", err
	}
	version := publishedVersion(app, r.URL.Query().Get("version"))
	if version == nil {
		return "", missing
	}
	readme, _ := fetchReport(r, version, reports.Readme) // Without the README, there is no image.
	document, _, _ := parseMarkdown(readme)
	if shown, _ := imagesOf(document); number < len(shown) {
		return string(shown[number].Destination), nil
	}
	return "", missing
}
