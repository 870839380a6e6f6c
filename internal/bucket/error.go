package bucket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/minio/minio-go/v7"

	"github.com/appmarket/operator/internal/chartrepo"
)

// codePattern is the form of the error codes of a service that errors contain.
var codePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,63}$`)

// fullCodes are the error codes for a bucket or a service without space.
var fullCodes = []string{
	"QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "XMinioStorageFull", "StorageFull", "InsufficientCapacity",
	"InsufficientStorage", "ServiceQuotaExceededException", "NotEnoughSpace",
}

// requestCodes are the error codes with the status of a missing permission for requests that the service does not
// accept from this process: its clock or its region is wrong.
var requestCodes = []string{"RequestTimeTooSkewed", "RequestExpired", "AuthorizationHeaderMalformed"}

// storageError is an error of the service or of the connection. Its cause is the error of a file
// system with the same meaning, if there is one.
type storageError struct {
	text  string
	cause error
}

func (e *storageError) Error() string { return e.text }

func (e *storageError) Unwrap() error { return e.cause }

// Is reports that every error except for a missing file is an ErrUnavailable.
func (e *storageError) Is(target error) bool {
	return target == chartrepo.ErrUnavailable && !errors.Is(e.cause, fs.ErrNotExist)
}

// newUnavailableError returns an error with a text and a cause, which can be nil.
func newUnavailableError(text string, cause error) error {
	if cause != nil {
		text += ": " + cause.Error()
	}
	return &storageError{text: text, cause: cause}
}

// toError returns an error without texts of the service and without the name of the object, which
// differs for each attempt.
func toError(err error) error {
	if err == nil {
		return nil
	}
	if known, ok := errors.AsType[*storageError](err); ok {
		return known
	}
	response, ok := errors.AsType[minio.ErrorResponse](err)
	if !ok {
		return &storageError{text: connectionMessage(err), cause: connectionCause(err)}
	}
	code := response.Code
	if !codePattern.MatchString(code) {
		code = "an invalid error code"
	}
	return &storageError{text: fmt.Sprintf("bucket returned %s (HTTP %d)", code, response.StatusCode), cause: causeOf(response)}
}

// causeOf returns the error of a file system with the same meaning, or nil.
func causeOf(response minio.ErrorResponse) error {
	switch {
	case slices.Contains(fullCodes, response.Code) || response.StatusCode == http.StatusInsufficientStorage:
		return syscall.ENOSPC
	case response.Code == minio.NoSuchKey:
		return fs.ErrNotExist
	case slices.Contains(requestCodes, response.Code):
		return nil
	case response.StatusCode == http.StatusForbidden || response.StatusCode == http.StatusUnauthorized:
		return fs.ErrPermission
	}
	return nil
}

// connectionMessage returns the text of an error without the URL of the request.
func connectionMessage(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "the bucket did not respond in time"
	}
	text := err.Error()
	if request, ok := errors.AsType[*url.Error](err); ok {
		text = strings.ReplaceAll(request.Err.Error(), request.URL, "the bucket")
	}
	if connection, ok := errors.AsType[*net.OpError](err); ok {
		// Connections have other ports each time.
		text = connection.Op + ": " + connection.Err.Error()
	}
	const limit = 256
	return "access bucket: " + strings.ToValidUTF8(text[:min(len(text), limit)], "")
}

// connectionCause returns the errors that callers compare with.
func connectionCause(err error) error {
	for _, known := range []error{context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, known) {
			return known
		}
	}
	return nil
}
