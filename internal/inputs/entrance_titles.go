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

// MaxEntranceTitle is the maximum number of characters in the title of an entrance.
const MaxEntranceTitle = 30

// CheckTitles returns a problem for each missing or invalid title of an entrance, in the
// order of required. Problems of given titles for other entrances follow in order of name.
// given maps names of entrances to titles, and taken contains the titles that other
// instances in the namespace use.
//
// A title must have at least one visible character, at most 30 characters without the
// surrounding spaces, and no control characters. It must be unique, ignoring case. The
// input of a problem has the entrance's name and its own title.
func CheckTitles(required []Entrance, given map[string]string, taken []string) []Problem {
	check := titleCheck{}
	for _, title := range taken {
		check[titleKey(title)] = "already used by another instance"
	}
	var wrong []Problem
	unknown := maps.Clone(given)
	for _, e := range required {
		delete(unknown, e.Name)
		if problem := check.titleProblem(given[e.Name]); problem != "" {
			in := Input{Name: e.Name, Title: e.Title, Type: "string", Required: true, Editable: true}
			wrong = append(wrong, Problem{Input: in, Problem: problem})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(unknown)) {
		wrong = append(wrong, Problem{Input: Input{Name: name}, Problem: problemUnknownEntrance})
	}
	return wrong
}

// titleCheck maps the key of each used title to the problem of using it again.
type titleCheck map[string]string

func (c titleCheck) titleProblem(title string) string {
	title = strings.TrimSpace(norm.NFC.String(title[:min(len(title), MaxInputBytes)]))
	key := titleKey(title)
	switch {
	case !strings.ContainsFunc(title, isVisible):
		return "required"
	case strings.ContainsFunc(title, unicode.IsControl):
		return "must not contain control characters"
	case utf8.RuneCountInString(title) > MaxEntranceTitle:
		return fmt.Sprintf("must have at most %d characters", MaxEntranceTitle)
	case c[key] != "":
		return c[key]
	}
	c[key] = "already used by another entrance"
	return ""
}

func isVisible(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }

// titleKey returns a key that is equal for titles that differ only in case, surrounding
// spaces or Unicode normalization.
func titleKey(title string) string {
	return cases.Fold().String(norm.NFC.String(strings.TrimSpace(title)))
}
