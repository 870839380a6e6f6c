package appinfo

import (
	"cmp"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/hydrate"
	"github.com/appmarket/operator/internal/catalog"
	"github.com/appmarket/operator/internal/images"
	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/text"
)

// Limits of the translations and requirements. They match the CRD schema.
const (
	maxTranslations = 8
	maxRange        = 253
)

// listTranslations returns the translations of the chart, with the texts of the source that they lack.
func listTranslations(d *hydrate.Draft) []hydrate.Translation {
	if d.Request.Offer.Presentation == nil {
		return d.Translations
	}
	byLocale := map[string]hydrate.Translation{}
	for _, t := range d.Request.Offer.Presentation.Translations {
		byLocale[t.Locale] = t
	}
	for _, t := range d.Translations {
		byLocale[t.Locale] = hydrate.Translation{
			Title: cmp.Or(t.Title, byLocale[t.Locale].Title), Description: cmp.Or(t.Description, byLocale[t.Locale].Description),
		}
	}
	return hydrate.SortTranslations(byLocale)
}

// fillFromObjects sets the fields about the objects of the app, and the translations.
func fillFromObjects(out *v1alpha1.AppSummary, d *hydrate.Draft) {
	for _, t := range catalog.FirstItems(listTranslations(d), maxTranslations) {
		if t.Title != out.Title || t.Description != out.Description {
			out.Translations = append(out.Translations, v1alpha1.AppTranslation{Locale: t.Locale, Title: t.Title, Description: t.Description})
		}
	}
	if d.Description == nil {
		return
	}
	out.Footprint = &v1alpha1.AppFootprint{
		CPU: d.Description.Footprint.CPU, Memory: d.Description.Footprint.Memory, Storage: d.Description.Footprint.Storage,
	}
	setPullSizes(out.Footprint, images.PullSizes(images.ListLayers(d.Images)))
	out.Access = toAccess(d.Description.Access)
	out.Requirements = toRequirements(d.Description.Requirements)
	out.Requirements.KubernetesVersion = text.Limit(d.Chart.KubeVersion, maxRange)
}

func toAccess(a objects.Access) *v1alpha1.AppAccess {
	out := &v1alpha1.AppAccess{
		Scope: v1alpha1.AccessCluster, Privileged: len(a.Privileged) > 0, HostPath: len(a.HostPaths) > 0, HostNetwork: len(a.HostNetworks) > 0,
		CRDs: int32(a.CRDCount), Rules: int32(a.RuleCount),
	}
	if a.IsLimitedToNamespace() {
		out.Scope = v1alpha1.AccessNamespace
	}
	return out
}

func toRequirements(r objects.Requirements) *v1alpha1.AppRequirements {
	out := &v1alpha1.AppRequirements{
		StorageClassNames: r.StorageClasses, DefaultStorageClass: r.NeedsDefaultStorageClass, IngressClassNames: r.IngressClasses,
		ImagePullSecretNames: r.PullSecrets,
	}
	for _, kind := range r.Kinds {
		if kind.APIVersion != "" {
			out.Kinds = append(out.Kinds, v1alpha1.RequiredKind{APIVersion: kind.APIVersion, Kind: kind.Kind})
		}
	}
	for _, request := range r.PodRequests {
		if request.Name != "" && request.Amount != "" {
			out.PodRequests = append(out.PodRequests, v1alpha1.ResourceAmount{Name: request.Name, Amount: request.Amount})
		}
	}
	return out
}
