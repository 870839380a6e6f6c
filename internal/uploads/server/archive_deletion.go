package server

import (
	"net/http"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/access"
	"github.com/appmarket/operator/internal/text"
)

// deleteArchive deletes a version that no instance has installed.
func (h *handler) deleteArchive(w http.ResponseWriter, r *http.Request, in request, file string) *problem {
	found, err := h.Store.FindFile(in.owner, file)
	if err != nil {
		return toProblem(err)
	}
	users, err := h.Users(r.Context(), in.owner, found.App, found.Version)
	if err != nil {
		return unavailable
	}
	if len(users) > 0 {
		return h.newInUse(r, file, users)
	}
	if err := h.Store.Remove(in.owner, found.App, found.Version); err != nil {
		return toProblem(err)
	}
	h.Log.Info("Chart deleted", "namespace", in.owner.Namespace, "source", in.owner.Source, "chart", file)
	h.notifyChanged(r.Context(), in.owner)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

const (
	// maxReviewedNamespaces is the number of namespaces for which a request reviews whether the
	// caller may know their instances.
	maxReviewedNamespaces = 20
	maxUsersNamed         = 10
)

// newInUse returns the problem of a version that instances have installed. It names the instances
// that the caller can list, and the number of the others.
func (h *handler) newInUse(r *http.Request, file string, users []types.NamespacedName) *problem {
	known := map[string]bool{}
	var named []string
	for _, user := range users {
		may, reviewed := known[user.Namespace]
		if !reviewed && len(known) < maxReviewedNamespaces {
			decision, err := h.Review(r.Context(), access.TokenOf(r), access.Right{
				Verb: "list", Group: v1alpha1.GroupVersion.Group, Resource: "appinstances", Namespace: user.Namespace,
			})
			if err != nil {
				return unavailable
			}
			may = decision == access.Allowed
			known[user.Namespace] = may
		}
		if may {
			named = append(named, user.String())
		}
	}
	slices.Sort(named)
	message := file + " is installed"
	if hidden := len(users) - len(named); hidden > 0 {
		message += " by " + text.Count(hidden, "instance", "instances") + " of other namespaces"
		if len(named) > 0 {
			message += ", and"
		}
	}
	if len(named) > 0 {
		message += " by " + text.List(named, ", ", maxUsersNamed)
	}
	return &problem{status: http.StatusConflict, code: codeDenied, message: message + ": uninstall or upgrade the instances first"}
}
