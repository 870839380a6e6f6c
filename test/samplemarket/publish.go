package samplemarket

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
)

// Image is an image that the charts name.
type Image struct {
	// Name is the name and the tag below the registry, such as hello:1.1.
	Name string
	// Platforms are the platforms that the image is for, such as linux/amd64.
	Platforms []string
}

// ReadImages returns the images that the charts in the folders below dir name.
func ReadImages(dir string) ([]Image, error) {
	charts, err := readCharts(dir)
	if err != nil {
		return nil, err
	}
	var images []Image
	for _, each := range imagesOf(charts) {
		images = append(images, Image{Name: each.name[len(Registry)+1:], Platforms: each.platforms})
	}
	return images, nil
}

// Publish replaces the folder output with a static Helm repository of the charts in the folders
// below dir. The image names in the charts get the prefix registry, from which the images can be
// pulled.
func Publish(dir, output, registry string) error {
	charts, err := readCharts(dir)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(output); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(output, "charts"), 0o755); err != nil {
		return err
	}
	for i, c := range charts {
		for j, file := range c.files {
			c.files[j].Data = imagePattern.ReplaceAllFunc(file.Data, func(image []byte) []byte {
				return append([]byte(registry), bytes.TrimPrefix(image, []byte(Registry))...)
			})
		}
		if charts[i], err = packFiles(c.files); err != nil {
			return fmt.Errorf("pack chart %s: %w", c.meta.Name, err)
		}
		if err := os.WriteFile(filepath.Join(output, charts[i].fileName()), charts[i].archive, 0o644); err != nil {
			return err
		}
	}
	index, err := indexOf(charts)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(output, "index.yaml"), index, 0o644)
}
