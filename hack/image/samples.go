package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/appmarket/operator/test/samplemarket"
)

// buildSamples writes an image for each image that the sample charts name. All images share the
// layers of one program, which reads its app from the environment.
func buildSamples(args []string) error {
	r := release{
		description: "A sample app of AppMarket.",
		programPath: "usr/local/bin/sampleapp",
	}
	f := newBuildFlags("samples", "dist/sample-images", &r)
	charts := f.String("charts", "config/samples/charts", "Directory with a directory for each sample chart.")
	base, programs, err := f.parse(args, &r)
	if err != nil {
		return err
	}
	images, err := samplemarket.ReadImages(*charts)
	if err != nil {
		return err
	}
	var indexes []namedIndex
	for _, each := range images {
		app, version, _ := strings.Cut(each.Name, ":")
		r.title, r.version = app, version
		r.env = []string{"APP=" + app, "APP_VERSION=" + version}
		index, err := newIndex(r, base, platformsIn(programs, each.Platforms))
		if err != nil {
			return fmt.Errorf("make image %s: %w", each.Name, err)
		}
		indexes = append(indexes, namedIndex{name: each.Name, index: index})
	}
	return writeLayout(f.output, indexes, nil)
}

// platformsIn returns the programs for the given platforms.
func platformsIn(programs []platformLayer, platforms []string) []platformLayer {
	return slices.DeleteFunc(slices.Clone(programs), func(p platformLayer) bool {
		return !slices.Contains(platforms, p.platform.String())
	})
}
