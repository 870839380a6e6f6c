package chartrepo

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/access"
)

// maxReportOwners is the maximum number of sources whose access is reviewed for one report.
const maxReportOwners = 100

// Access decides whether the owner of a token may read a source. An empty owner stands for
// all sources. An error means that no decision is available at the moment.
type Access func(ctx context.Context, token string, owner hydrate.Owner) (access.Decision, error)

// Review decides whether the owner of a token may read the versions of an app that are not in the
// indexes. An error means that no decision is available at the moment.
type Review func(ctx context.Context, token string, owner hydrate.Owner, app string) (access.Decision, error)

// challenges are the two ways to send a token. Helm sends Basic, with the token as password.
var challenges = []string{`Basic realm="AppMarket", charset="UTF-8"`, `Bearer realm="AppMarket"`}

const (
	unauthorizedText = "unauthorized: this path requires a token of an account that can get the MarketSource, or review the app if it is not listed; " +
		"send it as bearer token, or as password of basic authentication"
	forbiddenText = "forbidden: the MarketSource does not exist, or the account of the token cannot get it, or the app is not listed; " +
		"ask for permission to get MarketSources in the namespace, or to review AppInfos"
)

// authorizeSource reports whether the caller may read a source, and whether the response is
// only for this caller. If the caller may not, authorizeSource writes the response, which is
// the same whether or not the source exists.
func (h *handler) authorizeSource(w http.ResponseWriter, r *http.Request, owner hydrate.Owner) (private, ok bool) {
	if h.isShared(owner) {
		return false, true
	}
	decision, err := h.reviewAccess(r, owner)
	return true, h.writeDecision(w, decision, err)
}

// reviewAccess returns whether the caller may read a source. Decisions are cached together
// with the owner, so an owner with a name that no object can have is replaced by the empty
// one.
func (h *handler) reviewAccess(r *http.Request, owner hydrate.Owner) (access.Decision, error) {
	reviewed := hydrate.Owner{}
	if namePattern.MatchString(owner.Namespace) && namePattern.MatchString(owner.Source) {
		reviewed = hydrate.Owner{Namespace: strings.Clone(owner.Namespace), Source: strings.Clone(owner.Source)}
	}
	return h.access(r.Context(), access.TokenOf(r), reviewed)
}

// authorizeReport is authorizeSource for a report, which several sources may have published. A report
// of a version that is not in the indexes requires the permission to review the app.
func (h *handler) authorizeReport(w http.ResponseWriter, r *http.Request, digest string) (private, ok bool) {
	isIndexed := h.store.index.isIndexed
	if h.store.index.hasReports(digest, func(r *record) bool { return isIndexed(r) && h.isShared(r.owner()) }) {
		return false, true
	}
	decision, failure := access.Unauthenticated, error(nil)
	for _, decide := range h.reportReviews(r, digest) {
		var err error
		if decision, err = decide(); err != nil {
			failure = err
			continue
		}
		if decision != access.Forbidden {
			return true, h.writeDecision(w, decision, nil)
		}
	}
	return true, h.writeDecision(w, decision, failure)
}

// reportReviews returns the reviews of which one must allow a report to be read, at most
// maxReportOwners of each kind.
func (h *handler) reportReviews(r *http.Request, digest string) []func() (access.Decision, error) {
	var reviews []func() (access.Decision, error)
	owners, drafts := h.store.index.reportOwners(digest)
	if len(owners) == 0 && len(drafts) == 0 {
		owners = []hydrate.Owner{{}}
	}
	for _, owner := range owners[:min(len(owners), maxReportOwners)] {
		reviews = append(reviews, func() (access.Decision, error) { return h.reviewAccess(r, owner) })
	}
	for _, draft := range drafts[:min(len(drafts), maxReportOwners)] {
		reviews = append(reviews, func() (access.Decision, error) {
			return h.review(r.Context(), access.TokenOf(r), draft.owner(), draft.App)
		})
	}
	return reviews
}

// authorizeReview reports whether the caller may read a version that is not in the indexes. If the
// caller may not, authorizeReview writes the response.
func (h *handler) authorizeReview(w http.ResponseWriter, r *http.Request, of *record) bool {
	decision, err := h.review(r.Context(), access.TokenOf(r), of.owner(), of.App)
	return h.writeDecision(w, decision, err)
}

// chooseSource returns the source that the headers select if the caller may read it.
// Otherwise it writes the response.
func (h *handler) chooseSource(w http.ResponseWriter, r *http.Request) (owner hydrate.Owner, private, ok bool) {
	source, user := r.Header.Get(HeaderSource), r.Header.Get(HeaderUser)
	if namespace, name, full := strings.Cut(source, "/"); full {
		owner = hydrate.Owner{Namespace: namespace, Source: name}
		private, ok = h.authorizeSource(w, r, owner)
		return owner, private, ok
	}
	return h.chooseSourceByName(w, r, user, source)
}

// chooseSourceByName is chooseSource for a name without a namespace. The name is the caller's
// own source or, if there is none, a source that is shared with all namespaces.
func (h *handler) chooseSourceByName(w http.ResponseWriter, r *http.Request, user, source string) (owner hydrate.Owner, private, ok bool) {
	own := hydrate.Owner{Namespace: user, Source: source}
	if user != "" && h.isShared(own) && h.hasSource(own) {
		return own, false, true
	}
	decision := access.Unauthenticated
	if user != "" && access.TokenOf(r) != "" && !h.isShared(own) {
		var err error
		decision, err = h.reviewAccess(r, own)
		if err != nil || decision == access.Unauthenticated {
			return own, true, h.writeDecision(w, decision, err)
		}
		if decision == access.Allowed && h.hasSource(own) {
			return own, true, true
		}
	}
	if owner, found := h.aggregate.selectSource("", source); found && h.isShared(owner) {
		return owner, false, true
	}
	if user == "" || h.isShared(own) {
		writeError(w, http.StatusNotFound)
		return own, false, false
	}
	return own, true, h.writeDecision(w, decision, nil)
}

func (h *handler) hasSource(owner hydrate.Owner) bool {
	p, _ := h.store.index.sourceIndexOf(owner)
	return p != nil
}

// writeDecision reports whether a decision allows reading, and writes the response if not.
func (h *handler) writeDecision(w http.ResponseWriter, decision access.Decision, err error) bool {
	switch {
	case err != nil:
		writeUnavailable(w)
	case decision == access.Allowed:
		return true
	case decision == access.Forbidden:
		writeErrorText(w, http.StatusForbidden, forbiddenText)
	default:
		w.Header()["Www-Authenticate"] = challenges
		writeErrorText(w, http.StatusUnauthorized, unauthorizedText)
	}
	return false
}

// denyReview is the default Review. It denies every request.
func denyReview(context.Context, string, hydrate.Owner, string) (access.Decision, error) {
	return access.Unauthenticated, nil
}

// denyAll is the default Access. It denies every request.
func denyAll(context.Context, string, hydrate.Owner) (access.Decision, error) {
	return access.Unauthenticated, nil
}

// hasReports reports whether a record that matches has the reports with a digest.
func (t *memoryIndex) hasReports(digest string, matches func(*record) bool) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, r := range t.references[digest] {
		if r.Reports != nil && r.Reports.Digest == digest && matches(r) {
			return true
		}
	}
	return false
}

// reportOwners returns the owners of the indexed records that have the reports with a digest, sorted,
// and the records with these reports that are not indexed.
func (t *memoryIndex) reportOwners(digest string) (owners []hydrate.Owner, drafts []*record) {
	t.hasReports(digest, func(r *record) bool {
		if t.isIndexed(r) {
			owners = append(owners, r.owner())
		} else {
			drafts = append(drafts, r)
		}
		return false
	})
	slices.SortFunc(owners, compareOwners)
	return slices.Compact(owners), drafts
}
