// Package assets contains the style sheet, the scripts and the icons of the pages.
//
// Files are served below the digest of all of them, so that a browser keeps them for good and
// fetches them again after an upgrade. dist contains the files as they are served;
// THIRD_PARTY.txt there lists the licenses of the ones that others wrote.
package assets

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strings"
	"sync"
)

//go:embed dist
var files embed.FS

//go:embed icons/*.svg
var iconFiles embed.FS

// file is a file as it is served.
type file struct {
	mediaType      string
	plain, gzipped []byte
}

// served contains the files by their names, and the digest of all of them.
type served struct {
	files   map[string]file
	version string
}

// load compresses the files when the first one is used, because other commands of the same program do not use them.
var load = sync.OnceValue(mustLoad)

var mediaTypes = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
	".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8",
}

func mustLoad() served {
	all, digest := map[string]file{}, sha256.New()
	err := fs.WalkDir(files, "dist", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(digest, "%s %d\n%s", name, len(text), text)
		var packed bytes.Buffer
		w, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		_, _ = w.Write(text) // A buffer accepts every write.
		_ = w.Close()
		all[path.Base(name)] = file{mediaType: mediaTypes[path.Ext(name)], plain: text, gzipped: packed.Bytes()}
		return nil
	})
	if err != nil {
		panic(err) // The files are part of the program.
	}
	return served{files: all, version: hex.EncodeToString(digest.Sum(nil)[:6])}
}

// URL returns the address of a file.
func URL(name string) (string, error) {
	all := load()
	if _, ok := all.files[name]; !ok {
		return "", fmt.Errorf("there is no asset %q", name)
	}
	return "/assets/" + all.version + "/" + name, nil
}

// Handler serves the files below the digest of all of them.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		folder, name := path.Split(r.URL.Path)
		all := load()
		found, ok := all.files[name]
		if !ok || strings.Trim(folder, "/") != all.version {
			http.NotFound(w, r)
			return
		}
		header := w.Header()
		header.Set("Content-Type", found.mediaType)
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
		header.Set("Vary", "Accept-Encoding")
		body := found.plain
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			header.Set("Content-Encoding", "gzip")
			body = found.gzipped
		}
		_, _ = w.Write(body) // The client is gone if it fails.
	})
}

var (
	svgOuter = regexp.MustCompile(`(?s)^.*?<svg[^>]*>(.*)</svg>\s*$`)
	icons    = mustLoadIcons()
)

func mustLoadIcons() map[string]template.HTML {
	all := map[string]template.HTML{}
	entries, err := iconFiles.ReadDir("icons")
	if err != nil {
		panic(err) // The files are part of the program.
	}
	for _, entry := range entries {
		text, err := iconFiles.ReadFile("icons/" + entry.Name())
		if err != nil {
			panic(err) // The files are part of the program.
		}
		inner := strings.Join(strings.Fields(string(svgOuter.ReplaceAll(text, []byte("$1")))), " ")
		all[strings.TrimSuffix(entry.Name(), ".svg")] = template.HTML(`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true">` + inner + `</svg>`)
	}
	return all
}

// Icon returns the markup of an icon.
func Icon(name string) (template.HTML, error) {
	found, ok := icons[name]
	if !ok {
		return "", fmt.Errorf("there is no icon %q", name)
	}
	return found, nil
}
