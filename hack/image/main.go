// Command image makes the container image of the operator without a container engine,
// and pushes it:
//
//	image build --output dist/image --version 0.1.0 --revision COMMIT --created TIME \
//	    linux/amd64=dist/appmarket-linux-amd64 linux/arm64=dist/appmarket-linux-arm64
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

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"
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
		return push(ctx, args[1], args[2])
	}
	return errors.New("use: image build [flags] PLATFORM=PROGRAM... | image push LAYOUT REFERENCE")
}

// build writes the image to a folder and prints its digest and sizes.
func build(args []string) error {
	var output, created string
	release := release{}
	f := flag.NewFlagSet("image build", flag.ContinueOnError)
	f.StringVar(&output, "output", "dist/image", "Folder that the OCI image layout is written to; what it holds is replaced.")
	f.StringVar(&release.version, "version", "", "Version of the operator.")
	f.StringVar(&release.revision, "revision", "", "Commit that the programs are built from.")
	f.StringVar(&created, "created", "", "Time of the commit, as 2006-01-02T15:04:05Z.")
	if err := f.Parse(args); err != nil {
		return err
	}
	when, err := time.Parse(time.RFC3339, created)
	if err != nil {
		return fmt.Errorf("read --created: %w", err)
	}
	release.created = when.UTC()

	var programs []program
	for _, arg := range f.Args() {
		platform, file, ok := strings.Cut(arg, "=")
		if !ok {
			return fmt.Errorf("%q is not PLATFORM=PROGRAM", arg)
		}
		parsed, err := v1.ParsePlatform(platform)
		if err != nil {
			return fmt.Errorf("read platform %q: %w", platform, err)
		}
		programs = append(programs, program{platform: parsed, file: file})
	}
	if len(programs) == 0 {
		return errors.New("no program is given; add PLATFORM=PROGRAM")
	}
	index, err := indexOf(release, programs)
	if err != nil {
		return err
	}
	return write(index, output)
}

// write replaces the folder by the layout of an index.
func write(index v1.ImageIndex, folder string) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if _, err := layout.Write(folder, index); err != nil {
		return fmt.Errorf("write %s: %w", folder, err)
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Println("digest", digest)
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	for _, one := range manifest.Manifests {
		image, err := index.Image(one.Digest)
		if err != nil {
			return err
		}
		size, err := sizeOf(image)
		if err != nil {
			return err
		}
		fmt.Printf("%s %.1f MiB\n", one.Platform, float64(size)/(1<<20))
	}
	return nil
}

// sizeOf returns how many bytes the layers of an image have in a registry.
func sizeOf(image v1.Image) (int64, error) {
	manifest, err := image.Manifest()
	if err != nil {
		return 0, err
	}
	var size int64
	for _, one := range manifest.Layers {
		size += one.Size
	}
	return size, nil
}

// push pushes an image as it is in its folder, with the credentials that docker login
// keeps, and prints its reference with the digest.
func push(ctx context.Context, folder, reference string) error {
	index, err := layout.ImageIndexFromPath(folder)
	if err != nil {
		return fmt.Errorf("read %s: %w", folder, err)
	}
	ref, err := name.ParseReference(reference)
	if err != nil {
		return err
	}
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)}
	if err := remote.WriteIndex(ref, index, options...); err != nil {
		return fmt.Errorf("push %s: %w", ref, err)
	}
	digest, err := index.Digest()
	if err != nil {
		return err
	}
	fmt.Println(ref.Context().Digest(digest.String()))
	return nil
}
