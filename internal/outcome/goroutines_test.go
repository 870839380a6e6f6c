package outcome_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	. "github.com/onsi/gomega"
)

// allowedWithoutRecover are the goroutines that cannot panic, by file and first line, with
// the reason.
var allowedWithoutRecover = map[string]string{
	"controllers/appinstance/drift.go: func() { wake(key) }":                        "adds a name to a queue",
	"internal/installplan/plan_cache.go: a.removeExpired":                           "deletes from a list",
	"internal/chartrepo/health.go: func() { states[i] = check.runCheck(ctx) }":      "the check recovers panics",
	"internal/chartrepo/server.go: func() { failed <- s.Server.Serve(listener) }()": "net/http recovers in each request",
	"internal/health/health.go: func() { w.changes.notifyChanged(t.name) }":         "adds a name to a map",
	"internal/health/debounce.go: d.deliverEvents()":                                "sends names to a channel",
	"internal/health/watch.go: w.informer.RunWithContext(ctx)":                      "the functions of the informer recover panics",
	"internal/health/watch.go: func() {":                                            "adds names to a map",
	"internal/helm/release/context_transport.go: cancel":                            "cancels a context",
	"internal/worker/pool.go: func() { p.expireWorker(w) }":                         "kills a process",
	"internal/worker/process.go: w.waitForExit()":                                   "waits for a process",
	"internal/worker/process.go: w.killWorker":                                      "kills a process",
	"internal/worker/process.go: func() {":                                          "reads the processor time of a process",
	"internal/license/jwks_fetcher.go: func() (any, error) {":                       "the request recovers panics",
	"internal/registry/cached.go: func() (any, error) {":                            "the request recovers panics",
	"internal/fairlimiter/limiter.go: l.expireReservations":                         "notifies waiters",
	"internal/fairlimiter/server_wait.go: func() { l.releaseSlow(s) }":              "notifies waiters",
	"internal/app/app_reporter.go: r.sendEvent(key)":                                "sends a name to a channel",
	"internal/receiver/receiver.go: func() { h.triggerLater(source) }":              "recovers panics",
	"internal/artifactwatch/watch.go: w.sendNotification":                           "notifies a source",
	"internal/source/checkouts.go: func() { g.expire(used) }":                       "removes a folder",
	"internal/source/git_ssh.go: func() { _ = connection.Close() }":                 "closes a connection",
	"internal/source/shared_archive.go: func() { a.expireArchive(key) }":            "removes content from memory",
	"ui/pages/log_follow.go: cancel":                                                "cancels a context",
	"ui/pages/log_stream.go: s.readFollowed(ctx, logs, v.Filter, lines)":            "waits for goroutines that recover",
	"ui/live/connection.go: func() {":                                               "waits for the end of a connection",
	"ui/live/hub.go: func() {":                                                      "waits and closes a channel",
	"ui/terminal/manager.go: func() {":                                              "waits and closes a channel",
	"ui/terminal/session.go: b.closeBridge":                                         "wakes waiters",
}

// TestGoroutinesRecoverPanics reads the source of the operator. A panic can only be recovered
// in its own goroutine, and otherwise ends the process.
func TestGoroutinesRecoverPanics(t *testing.T) {
	g := NewWithT(t)
	root, err := filepath.Abs("../..")
	g.Expect(err).NotTo(HaveOccurred())
	unused := map[string]bool{}
	for one := range allowedWithoutRecover {
		unused[one] = true
	}
	found := 0
	g.Expect(filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		if entry.IsDir() {
			switch name {
			case "hack", "test", "cmd", "plugin", ".git", ".local", "bin":
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			begun := startedGoroutine(node)
			if begun == nil {
				return true
			}
			found++
			key := filepath.ToSlash(name) + ": " + firstLine(files, begun)
			delete(unused, key)
			if _, known := allowedWithoutRecover[key]; !known && !hasRecover(begun) {
				t.Errorf("%s: a panic in this goroutine ends the operator: %s; use outcome.Guarded",
					files.Position(begun.Pos()), key)
			}
			return true
		})
		return nil
	})).To(Succeed())
	g.Expect(found).To(BeNumerically(">", 20), "the source has goroutines")
	g.Expect(unused).To(BeEmpty(), "entries without a goroutine")
}

// startedGoroutine returns the function or call that a node runs in another goroutine, nil
// if there is none.
func startedGoroutine(node ast.Node) ast.Node {
	switch node := node.(type) {
	case *ast.GoStmt:
		return node.Call
	case *ast.CallExpr:
		called, ok := node.Fun.(*ast.SelectorExpr)
		if !ok || len(node.Args) == 0 {
			return nil
		}
		switch called.Sel.Name {
		case "Go", "TryGo", "AfterFunc", "DoChan":
			return node.Args[len(node.Args)-1]
		}
	}
	return nil
}

// hasRecover reports whether the panics of a function are recovered.
func hasRecover(begun ast.Node) bool {
	found := false
	ast.Inspect(begun, func(node ast.Node) bool {
		if name, ok := node.(*ast.Ident); ok {
			switch name.Name {
			case "Guarded", "Recover", "recover", "recoverPanic", "compareWithRecover":
				found = true
			}
		}
		return !found
	})
	return found
}

// firstLine returns the first line of the source of a node.
func firstLine(files *token.FileSet, node ast.Node) string {
	var text bytes.Buffer
	if err := printer.Fprint(&text, files, node); err != nil {
		return err.Error()
	}
	line, _, _ := strings.Cut(text.String(), "\n")
	return line
}
