// Package server receives charts over HTTP for a Store of package uploads: archives with PUT, which
// can be resumed, and OCI artifacts as "helm push" and "oras push" send them.
//
//	/upload/{namespace}/{source}/                 GET lists the charts of a source
//	/upload/{namespace}/{source}/{file}           HEAD, PUT and DELETE of one archive
//	/v2/{namespace}/{source}/{chart}/…            a registry in which each chart is a repository
//
// Every request needs the token of an account that has a verb on marketsources/upload for the source:
// create to upload, get to read, delete to delete. The response to an account without the right is
// the same for sources that exist and for others. The number of uploads at the same time, their size
// and the time of each are limited.
package server

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/access"
	"github.com/appmarket/operator/internal/uploads"
)

const (
	uploadPrefix   = "/upload/"
	registryPrefix = "/v2"
)

// Verbs on marketsources/upload.
const (
	verbCreate = "create"
	verbGet    = "get"
	verbDelete = "delete"
)

// Review decides whether the owner of a token has a right. An error means that no decision is
// available at the moment.
type Review func(ctx context.Context, token string, right access.Right) (access.Decision, error)

// Options configures a Handler. All fields are required.
type Options struct {
	Store  *uploads.Store
	Review Review
	// Source returns the limits of a source, and whether a source of type Upload exists.
	Source func(context.Context, hydrate.Owner) (limits uploads.Limits, exists bool, err error)
	// Users returns the instances that have installed a version.
	Users func(ctx context.Context, owner hydrate.Owner, app, version string) ([]types.NamespacedName, error)
	// Changed requests the sync of a source. An error is logged: the source is synced at its interval.
	Changed func(context.Context, hydrate.Owner) error
	// Ready reports whether Source and Users are valid.
	Ready func() bool
	Log   logr.Logger
}

type handler struct {
	Options
	slots *slots
	idle  time.Duration
}

// Handler returns a handler for the paths of the package, and passes all others to another handler.
func Handler(options Options, others http.Handler) http.Handler {
	return newHandler(options, idleTimeout, others)
}

func newHandler(options Options, idle time.Duration, others http.Handler) http.Handler {
	h := &handler{Options: options, slots: newSlots(maxUploads, maxNamespaceUploads), idle: idle}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, uploadPrefix):
			h.serveUpload(w, r)
		case r.URL.Path == registryPrefix || strings.HasPrefix(r.URL.Path, registryPrefix+"/"):
			h.serveRegistry(w, r)
		default:
			others.ServeHTTP(w, r)
		}
	})
}

// request is an authorized request for a source.
type request struct {
	owner  hydrate.Owner
	limits uploads.Limits
}

// authorize returns the request if its account has one of the verbs and the source exists, or the
// problem to respond with.
func (h *handler) authorize(r *http.Request, owner hydrate.Owner, verbs ...string) (request, *problem) {
	if problem := h.reviewVerbs(r, owner, verbs); problem != nil {
		return request{}, problem
	}
	if !h.Ready() {
		return request{}, unavailable
	}
	limits, exists, err := h.Source(r.Context(), owner)
	switch {
	case err != nil:
		return request{}, unavailable
	case !exists:
		return request{}, &problem{
			status: http.StatusNotFound, code: codeNameUnknown, message: "not found: the MarketSource does not exist, or is not of type Upload",
		}
	}
	return request{owner: owner, limits: limits}, nil
}

// reviewVerbs returns nil if the account of a request has one of the verbs.
func (h *handler) reviewVerbs(r *http.Request, owner hydrate.Owner, verbs []string) *problem {
	if uploads.CheckOwner(owner) != nil {
		owner = hydrate.Owner{} // Decisions are cached with the owner.
	}
	for _, verb := range verbs {
		decision, err := h.Review(r.Context(), access.TokenOf(r), access.Right{
			Verb: verb, Group: v1alpha1.GroupVersion.Group, Resource: "marketsources", Subresource: "upload",
			Namespace: strings.Clone(owner.Namespace), Name: strings.Clone(owner.Source),
		})
		switch {
		case err != nil:
			return unavailable
		case decision == access.Allowed:
			return nil
		case decision == access.Unauthenticated:
			return unauthorized
		}
	}
	return forbidden
}

// notifyChanged requests the sync of a source.
func (h *handler) notifyChanged(ctx context.Context, owner hydrate.Owner) {
	// The chart is stored: a client that has left does not prevent the sync.
	if err := h.Changed(context.WithoutCancel(ctx), owner); err != nil && !errors.Is(err, context.Canceled) {
		h.Log.Error(err, "Failed to request the sync of a source", "namespace", owner.Namespace, "source", owner.Source)
	}
}
