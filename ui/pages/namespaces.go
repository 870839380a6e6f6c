package pages

import (
	"net/http"
	"regexp"

	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/live"
)

const (
	// maxNamespaceTopics bounds the namespaces that a list of several follows.
	maxNamespaceTopics = 60
	// maxCountedNamespaces bounds the namespaces whose tasks the header counts.
	maxCountedNamespaces = 20
)

var namespaceForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// namespaceOf returns the namespace whose objects are shown: the one in the address, or else the
// remembered one, or else the default one. It is empty for all namespaces.
func namespaceOf(r *request) string {
	if given, ok := r.URL.Query()["namespace"]; ok {
		if namespaceForm.MatchString(given[0]) {
			return given[0]
		}
		return ""
	}
	cookie, err := r.Cookie(namespaceCookie)
	if err == nil && (cookie.Value == "" || namespaceForm.MatchString(cookie.Value)) {
		return cookie.Value
	}
	return preferencesOf(r.Request).Namespace
}

// rememberNamespace keeps the namespace of the address for the next pages.
func (s *Server) rememberNamespace(w http.ResponseWriter, r *request) {
	if !r.URL.Query().Has("namespace") {
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: namespaceCookie, Value: namespaceOf(r), Path: "/", HttpOnly: true, Secure: s.HTTPS, SameSite: http.SameSiteLaxMode,
	})
}

// addNamespaces adds the choice of namespaces to a page. Without an answer of the API server the
// page is shown without it.
func (s *Server) addNamespaces(r *request, l *layout) {
	l.Namespace = namespaceOf(r)
	scope, err := r.ListNamespaces(r.Context())
	if err != nil {
		s.Log.Error(err, "Cannot list the namespaces of a user")
	}
	l.Namespaces, l.TypedNamespace = scope.Namespaces, scope.Cut
	if l.RunningTasks, err = s.countRunningTasks(r, scope.Namespaces); err != nil {
		s.Log.Error(err, "Cannot count the tasks of a user")
	}
}

// countRunningTasks returns the number of tasks that have not finished, without checks, in the selected namespace or in
// the namespaces of a page in which the user can list tasks.
func (s *Server) countRunningTasks(r *request, namespaces []string) (int, error) {
	if chosen := namespaceOf(r); chosen != "" {
		namespaces = []string{chosen}
	}
	everywhere, err := r.Allows(r.Context(), "list", kube.Tasks, "", "")
	if err != nil {
		return 0, err
	}
	scope := kube.Scope{All: everywhere && namespaceOf(r) == ""}
	if !scope.All {
		for _, namespace := range namespaces[:min(len(namespaces), maxCountedNamespaces)] {
			allowed, err := r.Allows(r.Context(), "list", kube.Tasks, namespace, "")
			if err != nil {
				return 0, err
			}
			if allowed {
				scope.Namespaces = append(scope.Namespaces, namespace)
			}
		}
	}
	all, err := s.Cluster.ListTasks(r.Context(), scope)
	count := 0
	for i := range all {
		if !all[i].Finished() && !all[i].IsDryRun() {
			count++
		}
	}
	return count, err
}

// scopeOf returns where the user looks for objects of a resource: in the chosen namespace, or in
// all in which the user may list them.
func scopeOf(r *request, resource string) (kube.Scope, error) {
	if chosen := namespaceOf(r); chosen != "" {
		if err := r.RequireList(r.Context(), resource, chosen); err != nil {
			return kube.Scope{}, asProblem(r, err, "list", resource, chosen)
		}
		return kube.Scope{Namespaces: []string{chosen}}, nil
	}
	return r.ScopeFor(r.Context(), resource)
}

// topicsFor returns the topics of the lists of a resource in a scope.
func topicsFor(resource string, scope kube.Scope) []live.Topic {
	if scope.All {
		return []live.Topic{{Resource: resource}}
	}
	var topics []live.Topic
	for _, namespace := range scope.Namespaces[:min(len(scope.Namespaces), maxNamespaceTopics)] {
		topics = append(topics, live.Topic{Resource: resource, Namespace: namespace})
	}
	return topics
}
