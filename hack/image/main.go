// Command image makes container images without a container engine, and pushes them:
//
//	image build --output dist/image --version 0.1.0 --revision COMMIT --created TIME \
//	    --sbom linux/amd64=dist/sbom-linux-amd64.cdx.json linux/amd64=dist/appmarket-linux-amd64
//	image push dist/image registry.example/appmarket:0.1.0
//
// The image is written as an OCI image layout. The same programs, flags, and modules
// give the same bytes, and so the same digest.
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
	case len(args) == 3 && args[0] == "push":
		return pushLayout(ctx, args[1], args[2])
	}
	return errors.New("usage: image build [flags] PLATFORM=PROGRAM... | image push LAYOUT REFERENCE")
}

// build writes the image of the operator to a folder and prints its digest and sizes.
func build(args []string) error {
	var output, created, license string
	var limit float64
	var sboms platformFiles
	r := release{
		title:       "appmarket",
		description: "An app market for Kubernetes, as an operator.",
		programPath: "usr/local/bin/appmarket",
	}
	f := flag.NewFlagSet("image build", flag.ContinueOnError)
	f.StringVar(&output, "output", "dist/image", "Folder that the OCI image layout is written to. Its content is replaced.")
	f.StringVar(&r.version, "version", "", "Version of the operator. Also the name of the image in the layout.")
	f.StringVar(&r.revision, "revision", "", "Commit that the programs are built from.")
	f.StringVar(&created, "created", "", "Time of the commit, as 2006-01-02T15:04:05Z.")
	f.StringVar(&license, "license", "LICENSE", "File with the license of the operator.")
	f.Float64Var(&limit, "max-mib", 0, "Size that no image may exceed, compressed, in MiB. 0 means no limit.")
	f.Var(&sboms, "sbom", "CycloneDX file of the program for a platform, as linux/amd64=FILE. May be repeated.")
	if err := f.Parse(args); err != nil {
		return err
	}
	when, err := time.Parse(time.RFC3339, created)
	if err != nil {
		return fmt.Errorf("read --created: %w", err)
	}
	r.created = when.UTC()
	var programs platformFiles
	for _, arg := range f.Args() {
		if err := programs.Set(arg); err != nil {
			return err
		}
	}
	if len(programs) == 0 {
		return errors.New("no program is given; add PLATFORM=PROGRAM")
	}
	base, err := baseLayer(license)
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
	if err := writeLayout(output, []namedIndex{{name: r.version, index: index}}, artifacts); err != nil {
		return err
	}
	return report(os.Stdout, index, limit)
}

// platformFile is a file for a platform.
type platformFile struct {
	platform *v1.Platform
	file     string
}

// platformFiles is a flag of the form linux/amd64=FILE that may be repeated.
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
		return fmt.Errorf("%q is not PLATFORM=FILE", text)
	}
	parsed, err := v1.ParsePlatform(platform)
	if err != nil {
		return fmt.Errorf("read platform %q: %w", platform, err)
	}
	*p = append(*p, platformFile{platform: parsed, file: file})
	return nil
}
