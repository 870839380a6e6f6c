// Command image builds container images without a container engine, and pushes them:
//
//	image build --output dist/image --version 0.1.0 --revision COMMIT --created TIME \
//	    --sbom linux/amd64=dist/sbom-linux-amd64.cdx.json linux/amd64=dist/appmarket-linux-amd64
//	image push dist/image registry.example/appmarket:0.1.0
//	image samples --output dist/sample-images ... linux/amd64=dist/sampleapp-linux-amd64
//	image push dist/sample-images registry.example/samples
//
// Images are written as an OCI image layout. The same programs, flags and modules result in the
// same bytes, and therefore in the same digest.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) > 0 && args[0] == "build":
		return build(args[1:])
	case len(args) > 0 && args[0] == "samples":
		return buildSamples(args[1:])
	case len(args) == 3 && args[0] == "push":
		return pushLayout(ctx, args[1], args[2])
	}
	return errors.New("usage: image build|samples [flags] PLATFORM=PROGRAM... | image push LAYOUT REFERENCE")
}

// buildFlags are the flags of build and samples.
type buildFlags struct {
	*flag.FlagSet
	output, created, license string
	limit                    float64
}

func newBuildFlags(name, output string, r *release) *buildFlags {
	f := &buildFlags{FlagSet: flag.NewFlagSet("image "+name, flag.ContinueOnError)}
	f.StringVar(&f.output, "output", output, "Directory for the OCI image layout. Its content is replaced.")
	f.StringVar(&r.version, "version", "", "Version of the operator.")
	f.StringVar(&r.revision, "revision", "", "Commit that the programs are built from.")
	f.StringVar(&f.created, "created", "", "Time of the commit, for example 2006-01-02T15:04:05Z.")
	f.StringVar(&f.license, "license", "LICENSE", "File with the license of the programs.")
	f.Float64Var(&f.limit, "max-mib", 0, "Maximum compressed size of an image in MiB. 0 means no limit.")
	return f
}

// parse reads the flags and the programs in the arguments. It completes the release and returns the
// base layer and the layer of each program.
func (f *buildFlags) parse(args []string, r *release) (v1.Layer, []platformLayer, error) {
	if err := f.Parse(args); err != nil {
		return nil, nil, err
	}
	created, err := time.Parse(time.RFC3339, f.created)
	if err != nil {
		return nil, nil, fmt.Errorf("read --created: %w", err)
	}
	r.created = created.UTC()
	var programs platformFiles
	for _, arg := range f.Args() {
		if err := programs.Set(arg); err != nil {
			return nil, nil, err
		}
	}
	if len(programs) == 0 {
		return nil, nil, errors.New("usage: at least one argument PLATFORM=PROGRAM is required")
	}
	base, err := baseLayer(f.license)
	if err != nil {
		return nil, nil, err
	}
	layers, err := newProgramLayers(r.programPath, programs)
	return base, layers, err
}

// build writes the image of the operator to a folder and prints its digest and sizes.
func build(args []string) error {
	r := release{
		title:       "appmarket",
		description: "An app market for Kubernetes, as an operator.",
		programPath: "usr/local/bin/appmarket",
	}
	var sboms platformFiles
	f := newBuildFlags("build", "dist/image", &r)
	f.Var(&sboms, "sbom", "CycloneDX file of the program for a platform, for example linux/amd64=FILE. Can be repeated.")
	base, programs, err := f.parse(args, &r)
	if err != nil {
		return err
	}
	index, err := newIndex(r, base, programs)
	if err != nil {
		return err
	}
	artifacts, err := newSBOMs(index, sboms)
	if err != nil {
		return err
	}
	if err := writeLayout(f.output, []namedIndex{{name: r.version, index: index}}, artifacts); err != nil {
		return err
	}
	return report(os.Stdout, index, f.limit)
}

// platformFile is a file for a platform.
type platformFile struct {
	platform *v1.Platform
	file     string
}

// platformFiles is a flag of the form linux/amd64=FILE that can be repeated.
type platformFiles []platformFile

// String returns the platforms.
func (p *platformFiles) String() string {
	var names []string
	for _, each := range *p {
		names = append(names, each.platform.String())
	}
	return strings.Join(names, ",")
}

// Set adds a file.
func (p *platformFiles) Set(text string) error {
	platform, file, ok := strings.Cut(text, "=")
	if !ok {
		return fmt.Errorf("invalid value %q: must have the form PLATFORM=FILE", text)
	}
	parsed, err := v1.ParsePlatform(platform)
	if err != nil {
		return fmt.Errorf("parse platform %q: %w", platform, err)
	}
	*p = append(*p, platformFile{platform: parsed, file: file})
	return nil
}
