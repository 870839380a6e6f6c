package pages

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template/parse"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/ui/locale"
)

// messageID is the form of the identifiers of messages.
var messageID = regexp.MustCompile(`^[a-z][A-Za-z]*\.[A-Za-z]+$`)

// messageUses are the messages that the pages use.
type messageUses struct {
	// texts contains the names of the values of each use of a message, by its identifier.
	texts map[string][][]string
	// mentioned contains texts that have the form of an identifier, and groups the groups of words.
	mentioned, groups map[string]bool
}

// TestMessagesAreUsed compares the messages of the languages with their uses in templates and in Go code.
func TestMessagesAreUsed(t *testing.T) {
	uses := &messageUses{texts: map[string][][]string{}, mentioned: map[string]bool{}, groups: map[string]bool{"reason": true}}
	uses.addTemplates(t)
	uses.addCode(t)
	g := NewWithT(t)
	g.Expect(len(uses.texts)).To(BeNumerically(">", 300))
	messages := locale.English.Messages()
	knownGroups := map[string]bool{}
	for id := range messages {
		group, _, _ := strings.Cut(id, ".")
		knownGroups[group] = true
		if len(uses.texts[id]) == 0 && !uses.mentioned[id] && !uses.groups[group] {
			t.Errorf("message %s is not used", id)
		}
	}
	for id := range uses.mentioned {
		if group, _, _ := strings.Cut(id, "."); knownGroups[group] && !uses.groups[group] {
			g.Expect(messages).To(HaveKey(id), "message %s does not exist", id)
		}
	}
	for id, all := range uses.texts {
		if !g.Expect(messages).To(HaveKey(id)) {
			continue
		}
		for _, names := range all {
			for _, text := range messages[id] {
				g.Expect(names).To(ContainElements(valuesIn(text)), "values of %s: %s", id, text)
			}
		}
	}
}

var valuePattern = regexp.MustCompile(`\{\{\.(\w+)\}\}`)

// valuesIn returns the names of the values in a message.
func valuesIn(text string) []string {
	names := []string{}
	for _, match := range valuePattern.FindAllStringSubmatch(text, -1) {
		names = append(names, match[1])
	}
	return names
}

func (u *messageUses) addTemplates(t *testing.T) {
	t.Helper()
	parsed, err := parseTemplates()
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, each := range parsed[locale.English].Templates() {
		if each.Tree != nil {
			u.addNode(each.Tree.Root)
		}
	}
}

// addNode adds the messages of a node of a template.
func (u *messageUses) addNode(node parse.Node) {
	switch n := node.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, each := range n.Nodes {
				u.addNode(each)
			}
		}
	case *parse.ActionNode:
		u.addNode(n.Pipe)
	case *parse.TemplateNode:
		u.addNode(n.Pipe)
	case *parse.IfNode:
		u.addBranch(&n.BranchNode)
	case *parse.WithNode:
		u.addBranch(&n.BranchNode)
	case *parse.RangeNode:
		u.addBranch(&n.BranchNode)
	case *parse.PipeNode:
		if n != nil {
			for _, command := range n.Cmds {
				u.addCommand(command)
			}
		}
	}
}

func (u *messageUses) addBranch(n *parse.BranchNode) {
	u.addNode(n.Pipe)
	u.addNode(n.List)
	u.addNode(n.ElseList)
}

// addCommand adds the message of a call in a template.
func (u *messageUses) addCommand(command *parse.CommandNode) {
	var texts []string
	for _, argument := range command.Args {
		u.addNode(argument)
		text := ""
		if literal, ok := argument.(*parse.StringNode); ok {
			text = literal.Text
		}
		texts = append(texts, text)
	}
	function, ok := command.Args[0].(*parse.IdentifierNode)
	if !ok || len(texts) < 2 {
		return
	}
	switch function.Ident {
	case "t", "marked":
		u.addUse(texts[1], texts[2:])
	case "word":
		u.groups[texts[1]] = true
	}
}

// addUse adds a use of a message with pairs of names and values. A message that a template selects has no
// identifier here: Go code mentions it.
func (u *messageUses) addUse(id string, pairs []string) {
	if id == "" {
		return
	}
	names := []string{}
	for i := 0; i < len(pairs); i += 2 {
		names = append(names, pairs[i])
	}
	u.texts[id] = append(u.texts[id], names)
}

// addCode adds the messages of the Go code of the package.
func (u *messageUses) addCode(t *testing.T) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, name := range slices.DeleteFunc(files, func(name string) bool { return strings.HasSuffix(name, "_test.go") }) {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		ast.Inspect(file, func(node ast.Node) bool {
			switch n := node.(type) {
			case *ast.BasicLit:
				if text := textOf(n); messageID.MatchString(text) {
					u.mentioned[text] = true
				}
			case *ast.BinaryExpr:
				if group, isGroup := strings.CutSuffix(textOf(n.X), "."); isGroup {
					u.groups[group] = true
				}
			case *ast.CallExpr:
				u.addCall(n)
			}
			return true
		})
	}
}

// sentence matches a text for users.
var sentence = regexp.MustCompile(`^[A-Z][a-z]+ [a-z]+ |^[A-Z][a-z]+ .*[a-z]\.$`)

// TestCodeHasNoTexts finds sentences in Go code that are not messages. Texts of the log and of errors are for
// administrators.
func TestCodeHasNoTexts(t *testing.T) {
	files, err := filepath.Glob("*.go")
	NewWithT(t).Expect(err).NotTo(HaveOccurred())
	for _, name := range slices.DeleteFunc(files, func(name string) bool { return strings.HasSuffix(name, "_test.go") }) {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		NewWithT(t).Expect(err).NotTo(HaveOccurred())
		ast.Inspect(file, func(node ast.Node) bool {
			if call, ok := node.(*ast.CallExpr); ok {
				if function, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains([]string{"Error", "Info", "Errorf", "New"}, function.Sel.Name) {
					return false
				}
			}
			if literal, ok := node.(*ast.BasicLit); ok && sentence.MatchString(textOf(literal)) && !locale.English.Has("facet."+textOf(literal)) {
				t.Errorf("%s: %s is a text and not a message", name, literal.Value)
			}
			return true
		})
	}
}

// addCall adds the message of a call in Go code.
func (u *messageUses) addCall(call *ast.CallExpr) {
	name := ""
	switch function := call.Fun.(type) {
	case *ast.SelectorExpr:
		name = function.Sel.Name
	case *ast.Ident:
		name = function.Name
	}
	var texts []string
	for _, argument := range call.Args {
		texts = append(texts, textOf(argument))
	}
	switch {
	case name == "Text" && len(texts) > 0 && messageID.MatchString(texts[0]):
		u.addUse(texts[0], texts[1:])
	case name == "Word" && texts[0] != "":
		u.groups[texts[0]] = true
	case name == "textIn":
		u.addUse(texts[1], nil)
		u.addUse(texts[1]+"In", []string{"Namespace"})
	}
}

// textOf returns the text of a string literal, empty for any other expression.
func textOf(node ast.Node) string {
	literal, ok := node.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return ""
	}
	text, err := strconv.Unquote(literal.Value)
	if err != nil {
		return ""
	}
	return text
}
