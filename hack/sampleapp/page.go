package main

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// app is the content of the page.
type app struct {
	Name, Version string
	// Args are the arguments of the program.
	Args []string
	// Settings are environment variables in the form NAME=value, without the hidden ones.
	Settings []string
	// content is the folder of index.html, the page of the chart.
	content string
	// volumes are the folders in which visits are counted.
	volumes []string
}

// hidden are prefixes and parts of the names of variables that the page omits: variables of the
// container, variables that Kubernetes sets for Services, and secrets.
var hidden = []string{"APP=", "APP_VERSION=", "PATH=", "HOME=", "HOSTNAME=", "KUBERNETES_", "_SERVICE_", "_PORT", "PASSWORD"}

// appFromEnvironment returns the app that the environment and the arguments describe.
func appFromEnvironment(args []string) app {
	a := app{Name: os.Getenv("APP"), Version: os.Getenv("APP_VERSION"), Args: args, content: "/srv", volumes: volumes}
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		isHidden := slices.ContainsFunc(hidden, func(part string) bool { return strings.Contains(name+"=", part) })
		if !isHidden {
			a.Settings = append(a.Settings, variable)
		}
	}
	slices.Sort(a.Settings)
	return a
}

// write writes the page with the content of the chart, which is HTML and is not escaped.
func (a app) write(w io.Writer, content []byte) {
	name := html.EscapeString(a.Name + " " + a.Version)
	fmt.Fprintf(w, "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>%s</title>\n%s\n<p>%s</p>\n<ul>\n", name, content, name)
	for _, setting := range slices.Concat(a.Args, a.Settings) {
		fmt.Fprintf(w, "<li><code>%s</code></li>\n", html.EscapeString(setting))
	}
	fmt.Fprintln(w, "</ul>")
	for _, visit := range countVisits(a.volumes) {
		fmt.Fprintf(w, "<p>%s</p>\n", html.EscapeString(visit))
	}
	fmt.Fprintln(w, "</html>")
}

// ServeHTTP implements http.Handler.
func (a app) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	content, err := os.ReadFile(filepath.Join(a.content, "index.html"))
	if err != nil && !isMissing(err) {
		http.Error(w, "failed to read the page", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	a.write(w, content)
}
