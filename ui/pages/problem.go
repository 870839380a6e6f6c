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

// notFound returns the problem of a page or an object that does not exist. text and back are messages.
func notFound(r *request, text, backURL, back string) *problem {
	return &problem{Status: http.StatusNotFound, Title: r.Text("problem.notFound"), Text: r.Text(text), BackURL: backURL, Back: r.Text(back)}
}

func invalidForm(r *request, text string) *problem {
	return &problem{Status: http.StatusBadRequest, Title: r.Text("problem.invalidForm"), Text: r.Text(text), BackURL: "/apps", Back: r.Text("problem.showApps")}
}

// forbidden returns the problem of a user who lacks a right. It does not depend on whether the
// object exists.
func forbidden(r *request, verb, resource, namespace string) *problem {
	where, flag := "problem.forbidden", " -n "+namespace
	if namespace == "" {
		where, flag = "problem.forbiddenEverywhere", ""
	}
	return &problem{
		Status: http.StatusForbidden, Title: r.Text("problem.noPermission"),
		Text: r.Text(where, "Namespace", namespace, "Can", r.lang.Word("access", verb), "Objects", r.lang.Word("resource", resource),
			"Verb", verb, "Resource", resource+"."+kube.Group),
		Command: bindingCommand(r.session.User, verb, resource, namespace, flag),
		BackURL: "/apps", Back: r.Text("problem.showApps"),
	}
}

// bindingCommand returns the kubectl command that grants a user the permission for a verb.
func bindingCommand(user, verb, resource, namespace, flag string) string {
	role, binding := "appmarket-viewer", "rolebinding"
	if verb != "get" && verb != "list" {
		role = "appmarket-tenant"
	}
	switch {
	case (resource == kube.Sources || resource == kube.Apps) && role == "appmarket-tenant":
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
			kube.Apps: {"/apps", "problem.showApps"}, kube.Instances: {"/instances", "problem.showInstalled"},
			kube.Tasks: {"/tasks", "problem.showTasks"}, kube.Sources: {"/sources", "problem.showSources"},
		}[resource]
		return notFound(r, "problem.noObject", section[0], section[1])
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
		s.writeProblem(w, r, notFound(r, "problem.noReport", "/apps", "problem.showApps"))
	case errors.Is(err, context.Canceled):
		return
	default:
		s.Log.Error(err, "Cannot show a page", "path", r.URL.Path)
		w.Header().Set("Retry-After", "5")
		s.writeProblem(w, r, &problem{
			Status: http.StatusServiceUnavailable, Title: r.Text("problem.noResponse"),
			Text: r.Text("problem.noResponseText"), BackURL: pagePath(r), Back: r.Text("signIn.tryAgain"),
		})
	}
}

func (s *Server) writeProblem(w http.ResponseWriter, r *request, p *problem) {
	if isPart(r.Request) {
		http.Error(w, p.Title, p.Status)
		return
	}
	s.writeView(w, r, p.Status, &view{name: "problem", titles: []string{p.Title}, data: p})
}
