package inputs

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// MaxEntranceTitle is how many characters the title of an entrance may have.
const MaxEntranceTitle = 30

// CheckTitles reports every title of an entrance that is missing or wrong: those
// of required entrances in their order, then those given to an entrance that is
// none of them, by name. Given are titles by the name of the entrance, taken those
// that others in the namespace bear.
//
// A title has something to read, at most 30 characters beside the spaces around
// it, none of them a control character, and is like no other, be it in other
// capitals. The input of a problem is the entrance, with its own title.
func CheckTitles(required []Entrance, given map[string]string, taken []string) []Problem {
	check := titleCheck{}
	for _, title := range taken {
		check[titleKey(title)] = "taken by another instance"
	}
	var wrong []Problem
	unknown := maps.Clone(given)
	for _, e := range required {
		delete(unknown, e.Name)
		if problem := check.wrong(given[e.Name]); problem != "" {
			in := Input{Name: e.Name, Title: e.Title, Type: "string", Required: true, Editable: true}
			wrong = append(wrong, Problem{Input: in, Problem: problem})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(unknown)) {
		wrong = append(wrong, Problem{Input: Input{Name: name}, Problem: problemUnknownEntrance})
	}
	return wrong
}

// titleCheck says of titles, by their keys, why nobody else may bear them.
type titleCheck map[string]string

func (c titleCheck) wrong(title string) string {
	title = strings.TrimSpace(norm.NFC.String(title[:min(len(title), MaxInputBytes)]))
	key := titleKey(title)
	switch {
	case !strings.ContainsFunc(title, isVisible):
		return "required"
	case strings.ContainsFunc(title, unicode.IsControl):
		return "has a control character"
	case utf8.RuneCountInString(title) > MaxEntranceTitle:
		return fmt.Sprintf("longer than %d characters", MaxEntranceTitle)
	case c[key] != "":
		return c[key]
	}
	c[key] = "given to another entrance too"
	return ""
}

func isVisible(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }

// titleKey is the same for titles that people take for the same.
func titleKey(title string) string {
	return cases.Fold().String(norm.NFC.String(strings.TrimSpace(title)))
}
