package sourcebuilder

import (
	"fmt"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
)

// ParseRef parses the reference of a git repository: branch:NAME, tag:NAME, semver:RANGE or commit:SHA.
// A text without a kind is a branch. An empty text means the default branch.
func ParseRef(text string) (*v1alpha1.GitReference, error) {
	if text == "" {
		return nil, nil
	}
	kind, value, hasKind := strings.Cut(text, ":")
	if !hasKind {
		return &v1alpha1.GitReference{Branch: text}, nil
	}
	switch value = strings.TrimSpace(value); kind {
	case "branch":
		return &v1alpha1.GitReference{Branch: value}, nil
	case "tag":
		return &v1alpha1.GitReference{Tag: value}, nil
	case "semver":
		return &v1alpha1.GitReference{Semver: value}, nil
	case "commit":
		return &v1alpha1.GitReference{Commit: value}, nil
	}
	return nil, fmt.Errorf("--ref %s: must be branch:NAME, tag:NAME, semver:RANGE or commit:SHA", text)
}

// RefText returns the text from which ParseRef returns the same reference.
func RefText(ref *v1alpha1.GitReference) string {
	switch {
	case ref == nil:
		return ""
	case ref.Tag != "":
		return "tag:" + ref.Tag
	case ref.Semver != "":
		return "semver:" + ref.Semver
	case ref.Commit != "":
		return "commit:" + ref.Commit
	}
	return "branch:" + ref.Branch
}
