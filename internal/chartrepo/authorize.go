package chartrepo

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/access"
)

// maxReportOwners bounds the sources that are reviewed for one report.
const maxReportOwners = 100

// Access decides whether the owner of a token may read a source. Owner is empty for all
// sources. An error means that it is not known now.
type Access func(ctx context.Context, token string, owner hydrate.Owner) (access.Decision, error)

// challenges name both ways to send a token. Helm sends Basic, with the token as password.
var challenges = []string{`Basic realm="AppMarket", charset="UTF-8"`, `Bearer realm="AppMarket"`}

const (
	unauthorizedText = "unauthorized: there is no source here that is shared with all; send a token, as bearer token or as password, of an account that may get the MarketSource"
	forbiddenText    = "forbidden: the account of this token may not get the MarketSource, or there is none"
)

// admit reports whether the caller may read a source, and whether the answer is only for
// the caller. Where it may not, admit has answered, in the same way whether the source
// exists or not.
func (h *handler) authorizeSource(w http.ResponseWriter, r *http.Request, owner hydrate.Owner) (private, ok bool) {
	if h.isShared(owner) {
		return false, true
	}
	decision, err := h.reviewAccess(r, owner)
	return true, h.writeDecision(w, decision, err)
}

// review asks whether the caller may read a source. Decisions are kept, and with them the
// names: those that no object can have are not reviewed by themselves.
func (h *handler) reviewAccess(r *http.Request, owner hydrate.Owner) (access.Decision, error) {
	reviewed := hydrate.Owner{}
	if namePattern.MatchString(owner.Namespace) && namePattern.MatchString(owner.Source) {
		reviewed = hydrate.Owner{Namespace: strings.Clone(owner.Namespace), Source: strings.Clone(owner.Source)}
	}
	return h.access(r.Context(), tokenOf(r), reviewed)
}

// admitReport does the same for a report, which several sources may have published.
func (h *handler) authorizeReport(w http.ResponseWriter, r *http.Request, digest string) (private, ok bool) {
	if h.store.index.hasReports(digest, h.isShared) {
		return false, true
	}
	owners := h.store.index.reportOwners(digest)
	if len(owners) == 0 {
		owners = []hydrate.Owner{{}}
	}
	decision, failure := access.Unauthenticated, error(nil)
	for _, owner := range owners[:min(len(owners), maxReportOwners)] {
		var err error
		if decision, err = h.reviewAccess(r, owner); err != nil {
			failure = err
			continue
		}
		if decision != access.Forbidden {
			return true, h.writeDecision(w, decision, nil)
		}
	}
	return true, h.writeDecision(w, decision, failure)
}

// choose returns the source that the headers choose, if the caller may read it. Where not,
// choose has answered.
func (h *handler) chooseSource(w http.ResponseWriter, r *http.Request) (owner hydrate.Owner, private, ok bool) {
	source, user := r.Header.Get(HeaderSource), r.Header.Get(HeaderUser)
	if namespace, name, full := strings.Cut(source, "/"); full {
		owner = hydrate.Owner{Namespace: namespace, Source: name}
		private, ok = h.authorizeSource(w, r, owner)
		return owner, private, ok
	}
	return h.chooseSourceByName(w, r, user, source)
}

// chooseByName is choose for a name without a namespace: it means the caller's own source,
// or else one that is shared with all.
func (h *handler) chooseSourceByName(w http.ResponseWriter, r *http.Request, user, source string) (owner hydrate.Owner, private, ok bool) {
	own := hydrate.Owner{Namespace: user, Source: source}
	if user != "" && h.isShared(own) && h.hasSource(own) {
		return own, false, true
	}
	decision := access.Unauthenticated
	if user != "" && tokenOf(r) != "" && !h.isShared(own) {
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

// pass reports whether a decision allows to read, and answers where it does not.
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

// tokenOf returns the token of a request: a bearer token, or the password of basic
// authentication with any user name. It is empty if there is none.
func tokenOf(r *http.Request) string {
	if _, password, basic := r.BasicAuth(); basic {
		return password
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// denyAll is the Access of a repository that has none.
func denyAll(context.Context, string, hydrate.Owner) (access.Decision, error) {
	return access.Unauthenticated, nil
}

// hasReports reports whether an owner for whom of returns true has published the reports
// of a digest.
func (t *memoryIndex) hasReports(digest string, of func(hydrate.Owner) bool) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, r := range t.references[digest] {
		if r.Reports != nil && r.Reports.Digest == digest && of(r.owner()) {
			return true
		}
	}
	return false
}

// reportOwners returns who has published the reports of a digest, sorted.
func (t *memoryIndex) reportOwners(digest string) []hydrate.Owner {
	var owners []hydrate.Owner
	t.hasReports(digest, func(owner hydrate.Owner) bool {
		owners = append(owners, owner)
		return false
	})
	slices.SortFunc(owners, compareOwners)
	return slices.Compact(owners)
}
