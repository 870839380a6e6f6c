package images

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

const (
	// LayersReport is the name of the report with the layers of the images of a version.
	LayersReport = "layers.json"
	// MaxReportedLayers is the maximum number of different layers in a report. Images with further layers are
	// reported with one layer for each platform.
	MaxReportedLayers = 20_000
)

// layerReport is the content of a report. Images refer to layers by index, because images share layers.
type layerReport struct {
	Layers []Layer         `json:"layers"`
	Images []reportedImage `json:"images"`
}

// reportedImage is an image of a report, with the indexes of its layers by platform.
type reportedImage struct {
	Name      string           `json:"name"`
	Digest    string           `json:"digest"`
	Platforms map[string][]int `json:"platforms"`
}

// EncodeLayers returns the report of the layers of images.
func EncodeLayers(list []ImageLayers) ([]byte, error) {
	report := layerReport{Layers: []Layer{}, Images: []reportedImage{}}
	known := map[LayerDigest]int{}
	for _, image := range list {
		reported := reportedImage{Name: image.Name, Digest: image.Digest, Platforms: map[string][]int{}}
		for _, platform := range slices.Sorted(maps.Keys(image.Platforms)) {
			layers := image.Platforms[platform]
			if len(known)+len(layers) > MaxReportedLayers {
				size := addBytes(map[LayerDigest]bool{}, []ImageLayers{image}, platform)
				layers = []Layer{ownLayer(image.Name, image.Digest, platform, size)}
			}
			indexes := []int{}
			for _, layer := range layers {
				index, exists := known[layer.Digest]
				if !exists {
					index = len(report.Layers)
					known[layer.Digest] = index
					report.Layers = append(report.Layers, layer)
				}
				indexes = append(indexes, index)
			}
			reported.Platforms[platform] = indexes
		}
		report.Images = append(report.Images, reported)
	}
	text, err := json.Marshal(report)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", LayersReport, err)
	}
	return text, nil
}

// DecodeLayers returns the images of a report.
func DecodeLayers(text []byte) ([]ImageLayers, error) {
	var report layerReport
	if err := json.Unmarshal(text, &report); err != nil {
		return nil, fmt.Errorf("read %s: %w", LayersReport, err)
	}
	list := make([]ImageLayers, 0, len(report.Images))
	for _, image := range report.Images {
		found := ImageLayers{Name: image.Name, Digest: image.Digest, Platforms: map[string][]Layer{}}
		for platform, indexes := range image.Platforms {
			layers := make([]Layer, 0, len(indexes))
			for _, index := range indexes {
				if index < 0 || index >= len(report.Layers) {
					return nil, fmt.Errorf("read %s: image %q has no layer %d", LayersReport, image.Name, index)
				}
				layers = append(layers, report.Layers[index])
			}
			found.Platforms[platform] = layers
		}
		list = append(list, found)
	}
	return list, nil
}
