package source

import (
	"encoding/json"
	"net/url"
	"strings"

	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/text"
)

const (
	// storeLocale is the language of texts without a language.
	storeLocale = "en-US"
	// maxStoreLocales is the number of languages of a text that are read.
	maxStoreLocales = 50
	// maxStoreTitle and maxStoreDescription are the maximum lengths of the texts of an app.
	maxStoreTitle, maxStoreDescription = 200, 1024
)

// localizedText is a text by languages. Values of other types are ignored.
type localizedText map[string]string

// UnmarshalJSON decodes any value: an object with the text in each language, or a text.
func (l *localizedText) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*l = localizedText{storeLocale: one}
		return nil
	}
	var all map[string]json.RawMessage
	if json.Unmarshal(data, &all) != nil || len(all) > maxStoreLocales {
		return nil // It is no text, or not the text of a real app.
	}
	*l = localizedText{}
	for locale, value := range all {
		if json.Unmarshal(value, &one) == nil {
			(*l)[locale] = one
		}
	}
	return nil
}

// isIconURL reports whether a text is the URL of an image on a server, without credentials.
func isIconURL(text string) bool {
	icon, err := url.Parse(text)
	return err == nil && len(text) <= maxURL && (icon.Scheme == "https" || icon.Scheme == "http") && icon.Host != "" && icon.User == nil
}

// toPresentation returns the icon and the texts of an app, or nil if it has none.
func (a storeApp) toPresentation() *hydrate.Presentation {
	shown := hydrate.Presentation{
		Title:       text.Limit(strings.TrimSpace(a.Title[storeLocale]), maxStoreTitle),
		Description: text.Limit(strings.TrimSpace(a.Description[storeLocale]), maxStoreDescription),
	}
	if isIconURL(string(a.Icon)) {
		shown.Icon = string(a.Icon)
	}
	others := map[string]hydrate.Translation{}
	for locale, title := range a.Title {
		others[locale] = hydrate.Translation{Title: strings.TrimSpace(title)}
	}
	for locale, description := range a.Description {
		others[locale] = hydrate.Translation{Title: others[locale].Title, Description: strings.TrimSpace(description)}
	}
	delete(others, storeLocale)
	shown.Translations = hydrate.SortTranslations(others)
	if shown.Icon+shown.Title+shown.Description == "" && len(shown.Translations) == 0 {
		return nil
	}
	return &shown
}
