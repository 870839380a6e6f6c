package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
	"github.com/appmarket/operator/internal/uploads"
)

// Error codes of the OCI distribution specification.
const (
	codeBlobUnknown     = "BLOB_UNKNOWN"
	codeBlobInvalid     = "BLOB_UPLOAD_INVALID"
	codeUploadUnknown   = "BLOB_UPLOAD_UNKNOWN"
	codeDigestInvalid   = "DIGEST_INVALID"
	codeManifestBlob    = "MANIFEST_BLOB_UNKNOWN"
	codeManifestInvalid = "MANIFEST_INVALID"
	codeManifestUnknown = "MANIFEST_UNKNOWN"
	codeNameUnknown     = "NAME_UNKNOWN"
	codeSizeInvalid     = "SIZE_INVALID"
	codeUnauthorized    = "UNAUTHORIZED"
	codeDenied          = "DENIED"
	codeUnsupported     = "UNSUPPORTED"
	codeTooManyRequests = "TOOMANYREQUESTS"
	codeUnavailable     = "UNAVAILABLE"
)

// maxMessageBytes bounds a message, which can contain texts of a chart.
const maxMessageBytes = 1024

// problem is a response to a request that failed.
type problem struct {
	status  int
	code    string
	message string
	// headers are pairs of a name and a value.
	headers [][2]string
}

var (
	unauthorized = &problem{
		status: http.StatusUnauthorized, code: codeUnauthorized,
		message: "unauthorized: send the token of an account that can create marketsources/upload, as bearer token, or as password of basic authentication",
		// One challenge: clients of registries request a token from the realm of a Bearer challenge.
		headers: [][2]string{{"Www-Authenticate", `Basic realm="AppMarket", charset="UTF-8"`}},
	}
	forbidden = &problem{
		status: http.StatusForbidden, code: codeDenied,
		message: "forbidden: the MarketSource does not exist, or the account of the token does not have the verb on marketsources/upload for it",
	}
	unavailable = &problem{
		status: http.StatusServiceUnavailable, code: codeUnavailable, message: "service unavailable", headers: [][2]string{{"Retry-After", "10"}},
	}
	tooManyUploads = &problem{
		status: http.StatusTooManyRequests, code: codeTooManyRequests,
		message: "too many uploads at the same time: try again later", headers: [][2]string{{"Retry-After", "2"}},
	}
	notFound = &problem{status: http.StatusNotFound, code: codeNameUnknown, message: "not found"}
	tooLarge = &problem{
		status: http.StatusRequestEntityTooLarge, code: codeSizeInvalid,
		message: fmt.Sprintf("the content is larger than the limit, which is %d bytes for an archive", chart.MaxArchiveBytes),
	}
)

// newInvalid returns the problem of an invalid request.
func newInvalid(code, message string) *problem {
	return &problem{status: http.StatusBadRequest, code: code, message: message}
}

// newNotAllowed returns the problem of a method that a path does not support.
func newNotAllowed(methods string) *problem {
	return &problem{status: http.StatusMethodNotAllowed, code: codeUnsupported, message: "method not allowed", headers: [][2]string{{"Allow", methods}}}
}

// toProblem returns the response to an error.
func toProblem(err error) *problem {
	message := text.Truncate(err.Error(), maxMessageBytes)
	switch {
	case errors.Is(err, uploads.ErrConflict):
		return &problem{status: http.StatusConflict, code: codeDenied, message: message}
	case errors.Is(err, uploads.ErrTooManyUploads):
		return tooManyUploads
	case errors.Is(err, uploads.ErrUnknownContent):
		return newInvalid(codeManifestBlob, message)
	case errors.Is(err, fs.ErrNotExist):
		return notFound
	case uploads.IsReadError(err):
		return &problem{status: http.StatusRequestTimeout, code: codeBlobInvalid, message: "the upload was interrupted: resume it"}
	}
	switch outcome.Reason(err, "") {
	case v1alpha1.ReasonDigestMismatch:
		return newInvalid(codeDigestInvalid, message)
	case v1alpha1.ReasonLimitExceeded:
		return &problem{status: http.StatusRequestEntityTooLarge, code: codeSizeInvalid, message: message}
	case v1alpha1.ReasonAllowanceExceeded:
		return &problem{status: http.StatusForbidden, code: codeDenied, message: message}
	case v1alpha1.ReasonInvalidArchive, v1alpha1.ReasonInvalidChart:
		return &problem{status: http.StatusUnprocessableEntity, code: codeManifestInvalid, message: message}
	case v1alpha1.ReasonStorageFull:
		return &problem{status: http.StatusInsufficientStorage, code: codeUnavailable, message: "the volume of the operator is full"}
	}
	return unavailable
}

// writeHeaders writes the headers and the status of a problem.
func (p *problem) writeHeaders(w http.ResponseWriter, contentType string) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	for _, header := range p.headers {
		w.Header().Set(header[0], header[1])
	}
	w.WriteHeader(p.status)
}

// writeText responds with a problem as text.
func (p *problem) writeText(w http.ResponseWriter) {
	p.writeHeaders(w, "text/plain; charset=utf-8")
	_, _ = w.Write([]byte(p.message + "\n")) // The client has left.
}

// writeJSON responds with a problem as the distribution specification requires.
func (p *problem) writeJSON(w http.ResponseWriter) {
	type detail struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	body, err := json.Marshal(map[string][]detail{"errors": {{Code: p.code, Message: p.message}}})
	if err != nil {
		body = nil // Two strings can always be encoded.
	}
	p.writeHeaders(w, "application/json")
	_, _ = w.Write(body) // The client has left.
}
