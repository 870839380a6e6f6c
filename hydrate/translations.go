package hydrate

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/appmarket/operator/internal/chart"
	"github.com/appmarket/operator/internal/text"
)

// Limits of translations, in characters.
const (
	maxTranslations           = 8
	maxTranslationTitle       = 200
	maxTranslationDescription = 1024
)

// Annotations of Chart.yaml that contain a title and a description in another language. A language tag
// follows the prefix, such as appmarket.io/title-zh-CN.
const (
	titleAnnotation       = "appmarket.io/title-"
	descriptionAnnotation = "appmarket.io/description-"
)

// Translation is the title and the description of an app in a language.
type Translation struct{ Locale, Title, Description string }

// TranslationReader reads the file of an app in the folder of a language.
type TranslationReader interface {
	// ReadTranslation returns the title and the description, which may be empty. Locale is not set.
	ReadTranslation(text []byte) (Translation, error)
}

var localePattern = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$`)

// localeOf returns the language of a file i18n/<language>/OlaresManifest.yaml, or "".
func localeOf(name string) string {
	locale, isTranslation := strings.CutPrefix(path.Dir(name), "i18n/")
	if !isTranslation || path.Base(name) != ManifestFile || strings.Contains(locale, "/") {
		return ""
	}
	return locale
}

// readTranslations returns the translations of an app, sorted by language, at most 8. The files of languages
// take precedence over annotations. A file that cannot be parsed is omitted: it is published as a report,
// and no installation depends on it.
func readTranslations(reader TranslationReader, files []chart.File, meta chart.Metadata) []Translation {
	found := map[string]Translation{}
	for name, value := range meta.Annotations {
		if locale, ok := strings.CutPrefix(name, titleAnnotation); ok {
			one := found[locale]
			one.Title = value
			found[locale] = one
		}
		if locale, ok := strings.CutPrefix(name, descriptionAnnotation); ok {
			one := found[locale]
			one.Description = value
			found[locale] = one
		}
	}
	for _, f := range files {
		if locale := localeOf(f.Name); locale != "" {
			if one, err := reader.ReadTranslation(f.Data); err == nil {
				found[locale] = Translation{Title: cmp.Or(one.Title, found[locale].Title), Description: cmp.Or(one.Description, found[locale].Description)}
			}
		}
	}
	return SortTranslations(found)
}

// SortTranslations returns the translations by language, sorted by language, at most 8. Translations without texts or with an
// invalid language are omitted.
func SortTranslations(byLocale map[string]Translation) []Translation {
	var all []Translation
	for locale, one := range byLocale {
		if localePattern.MatchString(locale) && one.Title+one.Description != "" {
			all = append(all, Translation{
				Locale: locale, Title: text.Limit(one.Title, maxTranslationTitle), Description: text.Limit(one.Description, maxTranslationDescription),
			})
		}
	}
	slices.SortFunc(all, func(a, b Translation) int { return cmp.Compare(a.Locale, b.Locale) })
	return all[:min(len(all), maxTranslations)]
}
