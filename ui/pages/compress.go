package pages

import (
	"compress/gzip"
	"net/http"
	"strings"
	"sync"
)

// minCompressedBytes is the size from which an answer is compressed.
const minCompressedBytes = 1400

var compressors = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// canCompress reports whether the answer to a request may be compressed. A request that another
// site caused is answered without compression: its answer can contain a text of that site next to
// a confidential one, and the compressed size would show whether they are alike (BREACH).
func canCompress(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return strings.Contains(r.Header.Get("Accept-Encoding"), "gzip")
	}
	return false
}

// writeBody writes the body of an answer, compressed if possible.
func writeBody(w http.ResponseWriter, r *http.Request, status int, body string) {
	header := w.Header()
	header.Add("Vary", "Accept-Encoding, Sec-Fetch-Site")
	compressed := len(body) >= minCompressedBytes && canCompress(r)
	if compressed {
		header.Set("Content-Encoding", "gzip")
	}
	w.WriteHeader(status)
	if !compressed {
		_, _ = w.Write([]byte(body)) // The client is gone if it fails.
		return
	}
	compressor := compressors.Get().(*gzip.Writer)
	defer compressors.Put(compressor)
	compressor.Reset(w)
	_, _ = compressor.Write([]byte(body)) // The client is gone if it fails.
	_ = compressor.Close()
}
