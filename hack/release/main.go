// Command release writes the files of a release other than the image, and checks that the versions
// of a release agree:
//
//	release manifests --layout dist/image --output dist
//	release samples --output dist/samples
//	release plugin --output dist --version 0.1.0
//	release check v0.1.0
//	release notes 0.1.0
//	release digest dist/image
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/appmarket/operator/test/samplemarket"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	switch {
	case len(args) > 0 && args[0] == "manifests":
		return manifests(args[1:], out)
	case len(args) > 0 && args[0] == "samples":
		return samples(args[1:])
	case len(args) > 0 && args[0] == "plugin":
		return plugin(args[1:], out)
	case len(args) == 1 && args[0] == "check":
		return check(".", "")
	case len(args) == 2 && args[0] == "check":
		return check(".", args[1])
	case len(args) > 0 && len(args) <= 2 && args[0] == "digest":
		_, digest, err := imageIn(append(args[1:], "dist/image")[0])
		fmt.Fprintln(out, digest)
		return err
	case len(args) == 2 && args[0] == "notes":
		notes, err := notesFor(".", args[1])
		fmt.Fprint(out, notes)
		return err
	}
	return errors.New("usage: release manifests [flags] | samples [flags] | plugin [flags] | check [TAG] | notes VERSION | digest [LAYOUT]")
}

// manifests writes the chart and the manifests of a release.
func manifests(args []string, out io.Writer) error {
	var r releaseFiles
	var layout, output string
	f := flag.NewFlagSet("release manifests", flag.ContinueOnError)
	f.StringVar(&r.root, "root", ".", "Directory of the Git repository.")
	f.StringVar(&layout, "layout", "dist/image", "OCI image layout with the image of the operator. Its version is the version of the files.")
	f.StringVar(&output, "output", "dist", "Directory for the files.")
	f.StringVar(&r.image, "image", "ghcr.io/appmarket/operator", "Name of the image, without a tag.")
	f.StringVar(&r.samplesURL, "samples-url", "https://appmarket.github.io/operator/samples", "URL of the Helm repository with the sample charts.")
	if err := f.Parse(args); err != nil {
		return err
	}
	var err error
	if r.version, r.digest, err = imageIn(layout); err != nil {
		return err
	}
	files, err := r.build()
	if err != nil {
		return err
	}
	for _, each := range files {
		if err := os.WriteFile(filepath.Join(output, each.name), each.data, 0o644); err != nil {
			return err
		}
		fmt.Fprintln(out, filepath.Join(output, each.name))
	}
	return nil
}

// samples writes the sample charts as a static Helm repository.
func samples(args []string) error {
	f := flag.NewFlagSet("release samples", flag.ContinueOnError)
	charts := f.String("charts", "config/samples/charts", "Directory with a directory for each chart.")
	output := f.String("output", "dist/samples", "Directory for the Helm repository. Its content is replaced.")
	registry := f.String("registry", "ghcr.io/appmarket/samples", "Registry and path of the images of the charts.")
	if err := f.Parse(args); err != nil {
		return err
	}
	return samplemarket.Publish(*charts, *output, *registry)
}
