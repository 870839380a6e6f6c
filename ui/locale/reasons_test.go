package locale_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/ui/locale"
)

// maxSentence is the longest sentence of a reason, in characters.
const maxSentence = 120

// sentencesOf returns the sentences of a language by reason.
func sentencesOf(l *locale.Language) map[string]string {
	sentences := map[string]string{}
	for id := range l.Messages() {
		if reason, ok := strings.CutPrefix(id, "reason."); ok {
			sentences[reason] = l.Reason(reason)
		}
	}
	return sentences
}

// declaredReasons returns the values of all constants of the API whose names begin with Reason or Event.
func declaredReasons(t *testing.T) map[string]bool {
	t.Helper()
	g := NewWithT(t)
	folder := filepath.Join("..", "..", "api", "v1alpha1")
	files, err := filepath.Glob(filepath.Join(folder, "*.go"))
	g.Expect(err).NotTo(HaveOccurred())
	declared := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		g.Expect(err).NotTo(HaveOccurred(), file)
		for _, reason := range reasonsOf(g, parsed) {
			declared[reason] = true
		}
	}
	g.Expect(len(declared)).To(BeNumerically(">", 100), "the constants were found")
	return declared
}

// reasonsOf returns the reasons that a file declares.
func reasonsOf(g Gomega, file *ast.File) []string {
	var found []string
	for _, declaration := range file.Decls {
		group, ok := declaration.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			constants := spec.(*ast.ValueSpec)
			for i, name := range constants.Names {
				if !strings.HasPrefix(name.Name, "Reason") && !strings.HasPrefix(name.Name, "Event") {
					continue
				}
				value, err := strconv.Unquote(constants.Values[i].(*ast.BasicLit).Value)
				g.Expect(err).NotTo(HaveOccurred(), name.Name)
				found = append(found, value)
			}
		}
	}
	return found
}

func TestEveryReasonHasASentenceInEachLanguage(t *testing.T) {
	declared := declaredReasons(t)
	for _, l := range locale.All {
		t.Run(l.Code, func(t *testing.T) {
			g := NewWithT(t)
			sentences := sentencesOf(l)
			for reason := range declared {
				g.Expect(sentences).To(HaveKey(reason), "the reason has a sentence")
			}
			for reason := range sentences {
				g.Expect(declared).To(HaveKey(reason), "the API declares the reason of the sentence")
			}
		})
	}
}

func TestSentencesOfReasonsAreOneShortSentence(t *testing.T) {
	for l, end := range map[*locale.Language]string{locale.English: ".", locale.Chinese: "。"} {
		for reason, sentence := range sentencesOf(l) {
			t.Run(l.Code+"/"+reason, func(t *testing.T) {
				g := NewWithT(t)
				g.Expect(utf8.RuneCountInString(sentence)).To(BeNumerically("<=", maxSentence))
				g.Expect(strings.Index(sentence, end)).To(Equal(len(sentence)-len(end)), "one sentence, with its end")
				g.Expect(sentence).NotTo(ContainSubstring("{{"), "the sentence is no template")
				g.Expect(strings.TrimSpace(sentence)).To(Equal(sentence))
				isChinese := strings.ContainsFunc(sentence, func(r rune) bool { return unicode.Is(unicode.Han, r) })
				g.Expect(isChinese).To(Equal(l == locale.Chinese))
			})
		}
	}
}

func TestNoTwoReasonsHaveTheSameSentence(t *testing.T) {
	for _, l := range locale.All {
		g := NewWithT(t)
		reasons := map[string]string{}
		for reason, sentence := range sentencesOf(l) {
			g.Expect(reasons).NotTo(HaveKey(sentence), "%s has the sentence of %s", reason, reasons[sentence])
			reasons[sentence] = reason
		}
	}
}
