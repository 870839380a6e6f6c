package yamlbounds

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
)

func TestYAMLThatExpandsIsRefused(t *testing.T) {
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for _, names := range []string{"ba", "cb", "dc", "ed", "fe", "gf", "hg"} {
		bomb += names[:1] + ": &" + names[:1] + " [" + strings.Repeat("*"+names[1:]+",", 9) + "*" + names[1:] + "]\n"
	}
	loop := "a: &a [*a]\n"
	for _, text := range []string{bomb, loop, strings.ReplaceAll(bomb, "&", "\t&"), strings.ReplaceAll(loop, "a", "a-_9")} {
		NewWithT(t).Expect(outcome.Reason(CheckText([]byte(text), len(text)), "")).To(Equal(v1alpha1.ReasonLimitExceeded), text)
	}
}

func TestYAMLWithMarksOfAnchorsThatAreNone(t *testing.T) {
	for text, expands := range map[string]bool{
		"run: a && b\nglob: '*.yaml'\nschedule: '* * * * *'\n": false,
		"url: http://a/?b=1&c=2\nmatch: 'c*'\n":                false,
		"a: &one 1\nb: '*two'\n":                               false,
		"a: &one 1\nb: *one\n":                                 true,
		"a: '&one'\nb: '*one'\n":                               true, // Not an alias; the more expensive check is still correct.
		"query: a & b\n---\nquery: a * b\n":                    false,
		"a: &one [1]\nb: [*one]\nc: {d: *one}\n":               true,
		"a: &a-b_9\n  x: 1\nb:\n  <<: *a-b_9\n":                true,
		"":                                                     false,
		"*":                                                    false,
		"&a *":                                                 false,
		strings.Repeat("&a *b ", 10_000) + "\n" + "c: *a\n": true,
	} {
		NewWithT(t).Expect(mayExpand([]byte(text))).To(Equal(expands), text)
	}
}
