package kube

import (
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
)

// FindTranslation returns the translation for a language tag, such as zh-CN: the one with this tag, or else the
// first one of the same language. It returns an empty translation if there is none.
func FindTranslation(translations []v1alpha1.AppTranslation, tag string) v1alpha1.AppTranslation {
	var found v1alpha1.AppTranslation
	wanted, _, _ := strings.Cut(tag, "-")
	for _, translation := range translations {
		if strings.EqualFold(translation.Locale, tag) {
			return translation
		}
		own, _, _ := strings.Cut(translation.Locale, "-")
		if found.Locale == "" && strings.EqualFold(own, wanted) {
			found = translation
		}
	}
	return found
}
