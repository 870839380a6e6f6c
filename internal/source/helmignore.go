package source

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

const (
	maxIgnoreBytes = 64 << 10
	maxIgnoreRules = 500
)

// ignoreRules are the rules of a .helmignore, as "helm package" interprets them: each line
// is a shell pattern that is matched against the path if it contains a slash, and against the
// name otherwise. A pattern that ends with a slash matches only folders. A pattern that
// begins with "!" is negated: every file that it does not match is ignored.
type ignoreRules []ignoreRule

type ignoreRule struct {
	glob             string
	isNegated        bool
	isFolderOnly     bool
	matchesWholePath bool
}

// readIgnore reads the rules of a folder and the facts of the .helmignore, which are nil if
// there is none.
func readIgnore(folder *os.Root) (ignoreRules, *fileFacts, error) {
	info, err := folder.Lstat(ignoreFile)
	if errors.Is(err, fs.ErrNotExist) {
		rules, err := parseIgnore(nil)
		return rules, nil, err
	}
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%q: %w", ignoreFile, errNotRegular)
	}
	text, facts, err := readFile(folder, ignoreFile, maxIgnoreBytes)
	if err != nil {
		return nil, nil, err
	}
	rules, err := parseIgnore(text)
	return rules, &facts, err
}

func parseIgnore(text []byte) (ignoreRules, error) {
	// Helm has this rule by default, because hidden files of editors are not templates.
	rules := ignoreRules{{glob: "templates/.?*", matchesWholePath: true}}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	for pattern := range strings.Lines(string(text)) {
		pattern = strings.TrimSpace(pattern)
		if pattern == "" || pattern[0] == '#' {
			continue
		}
		rule, err := parseIgnoreRule(pattern)
		if err != nil {
			return nil, outcome.Stalled(v1alpha1.ReasonInvalidChart, fmt.Errorf("read %s: %w", ignoreFile, err))
		}
		if rules = append(rules, rule); len(rules) > maxIgnoreRules {
			return nil, limitError("%s has more than %d rules", ignoreFile, maxIgnoreRules)
		}
	}
	return rules, nil
}

func parseIgnoreRule(pattern string) (ignoreRule, error) {
	if strings.Contains(pattern, "**") {
		return ignoreRule{}, fmt.Errorf("pattern %q: two consecutive asterisks are not supported: write one pattern for each folder", pattern)
	}
	var rule ignoreRule
	pattern, rule.isNegated = strings.CutPrefix(pattern, "!")
	pattern, rule.isFolderOnly = strings.CutSuffix(pattern, "/")
	rule.matchesWholePath = strings.Contains(pattern, "/")
	rule.glob = strings.TrimPrefix(pattern, "/")
	if _, err := path.Match(rule.glob, ""); err != nil {
		return ignoreRule{}, fmt.Errorf("pattern %q: %w", pattern, err)
	}
	return rule, nil
}

// ignoresPath reports whether a file or folder is ignored.
func (rules ignoreRules) ignoresPath(name string, isFolder bool) bool {
	for _, rule := range rules {
		if rule.matchesPath(name, isFolder) {
			return true
		}
	}
	return false
}

func (r ignoreRule) matchesPath(name string, isFolder bool) bool {
	if r.isFolderOnly && !isFolder {
		return r.isNegated
	}
	if !r.matchesWholePath {
		name = path.Base(name)
	}
	matched, err := path.Match(r.glob, name)
	return err == nil && matched != r.isNegated
}
