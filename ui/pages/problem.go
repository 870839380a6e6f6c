package pages

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/appmarket/operator/ui/kube"
	"github.com/appmarket/operator/ui/reports"
)

// problem is an error that is shown as a page.
type problem struct {
	Status      int
	Title, Text string
	Command     string
	// Detail is the message of the API server.
	Detail        string
	BackURL, Back string
}

// Error returns the text of the problem.
func (p *problem) Error() string { return p.Title + ": " + p.Text }

func notFound(text, backURL, back string) *problem {
	return &problem{Status: http.StatusNotFound, Title: "Not found", Text: text, BackURL: backURL, Back: back}
}

func invalidForm(text string) *problem {
	return &problem{Status: http.StatusBadRequest, Title: "Invalid form", Text: text, BackURL: "/apps", Back: "Show apps"}
}

// resourceNames are the words for resources in sentences.
var resourceNames = map[string]string{
	kube.Apps: "apps", kube.Instances: "instances", kube.Tasks: "tasks", kube.Sources: "sources",
}

// forbidden returns the problem of a user who lacks a right. It does not depend on whether the
// object exists.
func forbidden(r *request, verb, resource, namespace string) *problem {
	where, flag := "in namespace "+namespace, " -n "+namespace
	if namespace == "" {
		where, flag = "in all namespaces", ""
	}
	return &problem{
		Status: http.StatusForbidden, Title: "No permission",
		Text: fmt.Sprintf("You cannot %s %s %s. The permission to %s %s.%s is missing. An administrator can grant it with this command:",
			verb, resourceNames[resource], where, verb, resource, kube.Group),
		Command: bindingCommand(r.session.User, verb, resource, namespace, flag),
		BackURL: "/apps", Back: "Show apps",
	}
}

// bindingCommand returns the kubectl command that grants a user the permission for a verb.
func bindingCommand(user, verb, resource, namespace, flag string) string {
	role, binding := "appmarket-viewer", "rolebinding"
	if verb != "get" && verb != "list" {
		role = "appmarket-tenant"
	}
	switch {
	case resource == kube.Sources && role == "appmarket-tenant":
		role = "appmarket-market-admin"
	case resource == kube.Apps || resource == kube.Sources:
		role = "appmarket-browser"
	}
	if namespace == "" {
		binding = "clusterrolebinding"
	}
	return grantCommand(user, binding, flag, role)
}

// grantCommand returns the kubectl command that binds a cluster role to a user.
func grantCommand(user, binding, flag, role string) string {
	subject := "--user=" + quoteForShell(user)
	if rest, ok := strings.CutPrefix(user, "system:serviceaccount:"); ok {
		subject = "--serviceaccount=" + quoteForShell(rest)
	}
	return fmt.Sprintf("kubectl create %s %s%s \\\n  --clusterrole=%s \\\n  %s", binding, role, flag, role, subject)
}

// quoteForShell returns a text as one word of a shell.
func quoteForShell(text string) string {
	isPlain := func(c rune) bool {
		return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("-_.:@/", c)
	}
	if text != "" && strings.TrimFunc(text, isPlain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

// asProblem returns the problem of a failed read of an object.
func asProblem(r *request, err error, verb, resource, namespace string) error {
	switch {
	case err == nil:
		return nil
	case apierrors.IsForbidden(err):
		return forbidden(r, verb, resource, namespace)
	case apierrors.IsNotFound(err):
		section := map[string][2]string{
			kube.Apps: {"/apps", "Show apps"}, kube.Instances: {"/instances", "Show installed apps"},
			kube.Tasks: {"/tasks", "Show tasks"}, kube.Sources: {"/sources", "Show sources"},
		}[resource]
		return notFound("The object does not exist. It may have been deleted.", section[0], section[1])
	}
	return err
}

// writeError writes the page of an error.
func (s *Server) writeError(w http.ResponseWriter, r *request, err error) {
	var known *problem
	switch {
	case errors.As(err, &known):
		s.writeProblem(w, r, known)
	case apierrors.IsUnauthorized(err):
		s.requireLogin(w, r.Request)
	case errors.Is(err, reports.ErrNotFound):
		s.writeProblem(w, r, notFound("The version does not have this report.", "/apps", "Show apps"))
	case errors.Is(err, context.Canceled):
		return
	default:
		s.Log.Error(err, "Cannot show a page", "path", r.URL.Path)
		w.Header().Set("Retry-After", "5")
		s.writeProblem(w, r, &problem{
			Status: http.StatusServiceUnavailable, Title: "The cluster does not respond",
			Text: "The API server did not respond. Nothing was changed.", BackURL: pagePath(r), Back: "Try again",
		})
	}
}

func (s *Server) writeProblem(w http.ResponseWriter, r *request, p *problem) {
	if strings.HasPrefix(r.URL.Path, "/parts/") {
		http.Error(w, p.Title, p.Status)
		return
	}
	s.writeView(w, r, p.Status, &view{name: "problem", titles: []string{p.Title}, data: p})
}
