package appinfo

import (
	"github.com/appmarket/operator/internal/text"
)

// artifactHubCategories are the display names of the categories that Artifact Hub defines for charts.
var artifactHubCategories = map[string]string{
	"ai-machine-learning":  "AI and machine learning",
	"database":             "Database",
	"integration-delivery": "Integration and delivery",
	"monitoring-logging":   "Monitoring and logging",
	"networking":           "Networking",
	"security":             "Security",
	"storage":              "Storage",
	"streaming-messaging":  "Streaming and messaging",
}

// chartCategories returns the category in the annotations of a chart without an app manifest. Artifact Hub
// defines the first annotation; many charts have the second.
func chartCategories(annotations map[string]string) []string {
	if title := artifactHubCategories[annotations["artifacthub.io/category"]]; title != "" {
		return []string{title}
	}
	if category := annotations["category"]; category != "" {
		return []string{text.Limit(category, 100)}
	}
	return nil
}
