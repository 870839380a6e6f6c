package pages

import (
	"net/url"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/live"
)

// Templates never join the parts of an address: these functions escape them.

func pathOf(parts ...string) string {
	var path strings.Builder
	for _, part := range parts {
		path.WriteString("/" + url.PathEscape(part))
	}
	return path.String()
}

func appURL(namespace, source, app string) string { return pathOf("apps", namespace, source, app) }

func appTabURL(namespace, source, app, tab string) string {
	return pathOf("apps", namespace, source, app, tab)
}

func versionURL(namespace, source, app, version string) string {
	return appURL(namespace, source, app) + queryOf(url.Values{"version": {version}})
}

func reportURL(namespace, source, app, version, report string) string {
	return pathOf("apps", namespace, source, app, "files", report) + queryOf(url.Values{"version": {version}})
}

func instanceURL(namespace, name string) string { return pathOf("instances", namespace, name) }

func instanceTabURL(namespace, name, tab string) string {
	return pathOf("instances", namespace, name, tab)
}

func taskURL(namespace, name string) string { return pathOf("tasks", namespace, name) }

func sourceURL(namespace, name string) string { return pathOf("sources", namespace, name) }

// refURL returns the address of the app of a reference in an object of a namespace.
func refURL(ref v1alpha1.AppReference, namespace string) string {
	if ref.Namespace != "" {
		namespace = ref.Namespace
	}
	return appURL(namespace, ref.Source, ref.Name)
}

func liveURL(topics []live.Topic) string {
	if len(topics) == 0 {
		return ""
	}
	query := url.Values{}
	for _, topic := range topics {
		query.Add("t", topic.String())
	}
	return "/live?" + query.Encode()
}
