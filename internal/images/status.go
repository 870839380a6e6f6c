package images

import (
	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/text"
)

// Limits of an image in a status.
const (
	maxName, maxProblem         = 512, 512
	maxPlatforms, maxPlatformID = 30, 64
)

// ToAppImage returns an image as the status of an app contains it.
func ToAppImage(image Image) v1alpha1.AppImage {
	found := v1alpha1.AppImage{
		Name: text.Limit(image.Name, maxName), Problem: text.Limit(image.Problem, maxProblem), Access: v1alpha1.ImageAccess(image.Access),
	}
	if image.Detail == nil {
		return found
	}
	found.Digest = image.Detail.Digest
	for _, platform := range image.Detail.Platforms[:min(len(image.Detail.Platforms), maxPlatforms)] {
		found.Platforms = append(found.Platforms, text.Limit(formatPlatform(platform), maxPlatformID))
		if platform.Size > found.LargestPlatformBytes {
			found.LargestPlatformBytes, found.Layers = platform.Size, int32(platform.Layers)
		}
	}
	return found
}

func formatPlatform(platform Platform) string {
	name := platform.OS + "/" + platform.Architecture
	if platform.Variant != "" {
		name += "/" + platform.Variant
	}
	return name
}
