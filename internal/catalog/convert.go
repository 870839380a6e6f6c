package catalog

import (
	"cmp"
	"math"
	"strconv"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/inputs"
	"github.com/appmarket/operator/internal/text"
)

// ToEntrance converts an entrance to the form of a status.
func ToEntrance(e inputs.Entrance) v1alpha1.AppEntrance {
	return v1alpha1.AppEntrance{
		Name: text.Limit(e.Name, 63), Title: text.Limit(e.Title, 200), Host: text.Limit(e.Host, 253), Port: e.Port, Hidden: e.Invisible,
	}
}

// ToInput converts an input to the form of a status. The default of a secret is omitted.
func ToInput(in inputs.Input) v1alpha1.Input {
	out := v1alpha1.Input{
		Name: text.Limit(in.Name, 253), Type: text.Limit(in.Type, 32), Title: text.Limit(in.Title, 200),
		Description: text.Limit(in.Description, 1024), Pattern: text.Limit(in.Pattern, 1000),
		Secret: in.Type == "password", Required: in.Required,
	}
	if in.Range != nil {
		out.Minimum, out.Maximum = numberText(in.Range.Min), numberText(in.Range.Max)
	}
	if in.Length != nil {
		out.MinLength, out.MaxLength = characterCount(in.Length.Min), characterCount(in.Length.Max)
	}
	out.ShowIf = text.Limit(in.ShowIf, 1000)
	if !out.Secret {
		out.Default = text.Limit(cmp.Or(in.Value, in.Default), 1024)
	}
	for _, o := range FirstItems(in.Options, 100) {
		out.Options = append(out.Options, v1alpha1.InputOption{Title: text.Limit(o.Title, 200), Value: text.Limit(o.Value, 1024)})
	}
	return out
}

// LicenseTermsOf returns the license terms of a chart in the form of a status. It returns nil for an
// app that need not be purchased.
func LicenseTermsOf(of *hydrate.License) *v1alpha1.PurchaseTerms {
	if of == nil {
		return nil
	}
	terms := &v1alpha1.PurchaseTerms{Product: text.Limit(of.Product, 253), Issuer: text.Limit(of.Issuer, 253)}
	for _, p := range FirstItems(of.Prices, maxPrices) {
		terms.Prices = append(terms.Prices, text.Limit(p.String(), 253))
	}
	return terms
}

// maxPrices is the maximum number of prices in a status.
const maxPrices = 20

// numberText formats a limit on a number. It returns "" if there is no limit.
func numberText(bound *float64) string {
	if bound == nil {
		return ""
	}
	return text.Limit(strconv.FormatFloat(*bound, 'g', -1, 64), 32)
}

// characterCount converts a limit on a length. It returns nil if there is no limit.
func characterCount(bound *float64) *int64 {
	if bound == nil {
		return nil
	}
	count := int64(min(max(*bound, 0), math.MaxInt32))
	return &count
}

// FirstItems returns the first n items of a list, or all items if there are fewer.
func FirstItems[T any](list []T, n int) []T { return list[:min(len(list), n)] }
