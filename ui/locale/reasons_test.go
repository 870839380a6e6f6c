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

	"github.com/BurntSushi/toml"
	. "github.com/onsi/gomega"
)

// maxSentence is the longest sentence of a reason, in characters.
const maxSentence = 120

// readSentences returns the sentences of a language by reason.
func readSentences(t *testing.T, language string) map[string]string {
	t.Helper()
	g := NewWithT(t)
	var file struct {
		Reason map[string]string `toml:"reason"`
	}
	metadata, err := toml.DecodeFile("reasons."+language+".toml", &file)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(metadata.Undecoded()).To(BeEmpty(), "the file has only the table of reasons")
	return file.Reason
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
	for _, language := range []string{"en", "zh"} {
		t.Run(language, func(t *testing.T) {
			g := NewWithT(t)
			sentences := readSentences(t, language)
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
	for language, end := range map[string]string{"en": ".", "zh": "。"} {
		for reason, sentence := range readSentences(t, language) {
			t.Run(language+"/"+reason, func(t *testing.T) {
				g := NewWithT(t)
				g.Expect(utf8.RuneCountInString(sentence)).To(BeNumerically("<=", maxSentence))
				g.Expect(strings.Index(sentence, end)).To(Equal(len(sentence)-len(end)), "one sentence, with its end")
				g.Expect(sentence).NotTo(ContainSubstring("{{"), "the sentence is no template")
				g.Expect(strings.TrimSpace(sentence)).To(Equal(sentence))
				isChinese := strings.ContainsFunc(sentence, func(r rune) bool { return unicode.Is(unicode.Han, r) })
				g.Expect(isChinese).To(Equal(language == "zh"))
			})
		}
	}
}

func TestNoTwoReasonsHaveTheSameSentence(t *testing.T) {
	for _, language := range []string{"en", "zh"} {
		g := NewWithT(t)
		reasons := map[string]string{}
		for reason, sentence := range readSentences(t, language) {
			g.Expect(reasons).NotTo(HaveKey(sentence), "%s has the sentence of %s", reason, reasons[sentence])
			reasons[sentence] = reason
		}
	}
}
