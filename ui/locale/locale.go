// Package locale contains the texts of the pages in the languages of the users.
//
// Each language has a file of messages, and a file with one sentence for each reason of a condition. A
// message has an identifier of a group and a word, such as list.tasks, and can contain values, such as
// {{.Count}}. A message about a count has a form for each plural of its language. A translation is plain
// text: who inserts it into a page escapes it.
//
// The cookie of a request selects its language. Without a cookie, it is the first language of the header
// Accept-Language that exists, or English.
package locale

import (
	"embed"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

// Cookie is the name of the cookie that contains the code of the language that a user has selected.
const Cookie = "appmarket-language"

// maxAcceptedBytes is the length of the longest Accept-Language header that is read.
const maxAcceptedBytes = 200

//go:embed *.toml
var files embed.FS

// Language is a language of the pages. It is safe for concurrent use.
type Language struct {
	// Code is the value of the cookie, Tag the language of the HTML, and Name the name of the language in
	// itself.
	Code, Tag, Name string
}

// The languages of the pages.
var (
	English = &Language{Code: "en", Tag: "en", Name: "English"}
	Chinese = &Language{Code: "zh", Tag: "zh-CN", Name: "中文"}
)

// All contains the languages. The first one is the default.
var All = []*Language{English, Chinese}

var matcher = language.NewMatcher([]language.Tag{language.English, language.Chinese})

// texts are the messages of a language.
type texts struct {
	localizer *i18n.Localizer
	// plain contains the texts of the messages without values, and messages the forms of all.
	plain    map[string]string
	messages map[string][]string
}

// load reads the messages of all languages, by code, when the first one is used, because other commands of the same
// program do not use them.
var load = sync.OnceValue(func() map[string]*texts {
	bundle := i18n.NewBundle(language.English)
	bundle.RegisterUnmarshalFunc("toml", toml.Unmarshal)
	all := map[string]*texts{}
	for _, l := range All {
		all[l.Code] = mustLoad(bundle, l.Code)
	}
	return all
})

// mustLoad reads the files of a language.
func mustLoad(bundle *i18n.Bundle, code string) *texts {
	t := &texts{localizer: i18n.NewLocalizer(bundle, code), plain: map[string]string{}, messages: map[string][]string{}}
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // The files are part of the program.
	}
	for _, entry := range entries {
		if !strings.HasSuffix("."+entry.Name(), "."+code+".toml") {
			continue
		}
		content, err := files.ReadFile(entry.Name())
		if err != nil {
			panic(err) // The files are part of the program.
		}
		parsed, err := bundle.ParseMessageFileBytes(content, entry.Name())
		if err != nil {
			panic(fmt.Errorf("read %s: %w", entry.Name(), err)) // A test reads the files, too.
		}
		for _, message := range parsed.Messages {
			t.messages[message.ID] = slices.DeleteFunc([]string{message.One, message.Other}, func(text string) bool { return text == "" })
			if message.One == "" && !strings.Contains(message.Other, "{{") {
				t.plain[message.ID] = message.Other
			}
		}
	}
	return t
}

func (l *Language) loadTexts() *texts { return load()[l.Code] }

// Text returns a message. The values are pairs of a name and a value; the value with the name Count selects
// the plural. A message that does not exist in the language is returned in English, and one that does not
// exist at all as its identifier.
func (l *Language) Text(id string, values ...any) string {
	t := l.loadTexts()
	if text := t.plain[id]; text != "" {
		return text
	}
	named := map[string]any{}
	config := &i18n.LocalizeConfig{MessageID: id, TemplateData: named}
	for i := 0; i+1 < len(values); i += 2 {
		name := fmt.Sprint(values[i])
		if named[name] = values[i+1]; name == "Count" {
			config.PluralCount = values[i+1]
		}
	}
	text, err := t.localizer.Localize(config)
	if text == "" && err != nil {
		return id
	}
	return text
}

// Messages returns the forms of all messages by their identifiers, for tests that compare languages.
func (l *Language) Messages() map[string][]string { return maps.Clone(l.loadTexts().messages) }

// Has reports whether the language has a message.
func (l *Language) Has(id string) bool {
	_, ok := l.loadTexts().messages[id]
	return ok
}

// Word returns the word of the language for a name of the API in a group, such as an action. A name that has
// no word is returned as it is.
func (l *Language) Word(group string, name any) string {
	id := group + "." + fmt.Sprint(name)
	if !l.Has(id) {
		return fmt.Sprint(name)
	}
	return l.Text(id)
}

// Reason returns the sentence for a reason of a condition, empty if there is none.
func (l *Language) Reason(reason string) string {
	if id := "reason." + reason; reason != "" && l.Has(id) {
		return l.Text(id)
	}
	return ""
}

// ByCode returns the language with a code, nil if there is none.
func ByCode(code string) *Language {
	for _, l := range All {
		if l.Code == code {
			return l
		}
	}
	return nil
}

// Of returns the language of a request.
func Of(r *http.Request) *Language {
	if cookie, err := r.Cookie(Cookie); err == nil {
		if l := ByCode(cookie.Value); l != nil {
			return l
		}
	}
	accepted := r.Header.Get("Accept-Language")
	if accepted == "" || len(accepted) > maxAcceptedBytes {
		return All[0]
	}
	_, i := language.MatchStrings(matcher, accepted)
	return All[i]
}
