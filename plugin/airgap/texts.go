package airgap

import (
	"fmt"
	"strings"

	"github.com/appmarket/operator/internal/text"
)

// scriptBegin is the begin of mirror.sh. The images follow, one line each.
const scriptBegin = `#!/bin/sh
# Copies the images of images.txt to a registry, for example:
#
#   ./mirror.sh registry.example/mirror
#
# It uses crane or skopeo, which must be signed in to the registries.
set -eu

if [ "$#" -ne 1 ] || [ -z "$1" ]; then
  echo "usage: $0 REGISTRY[/PATH]" >&2
  exit 2
fi
registry=${1%/}

if command -v crane >/dev/null 2>&1; then
  copy_image() { crane copy "$1" "$registry/$2"; }
elif command -v skopeo >/dev/null 2>&1; then
  copy_image() { skopeo copy --all --preserve-digests "docker://$1" "docker://$registry/$2"; }
else
  echo "mirror.sh requires crane or skopeo" >&2
  exit 1
fi

failed=0
copy() {
  copy_image "$1" "$2" || {
    echo "mirror.sh: $1 was not copied" >&2
    failed=1
  }
}

`

// scriptEnd is the end of mirror.sh. An image that cannot be copied does not prevent the copies of others.
const scriptEnd = "\nexit \"$failed\"\n"

// Script returns the script that copies the images to a registry.
func (c *Content) Script() string {
	var out strings.Builder
	out.WriteString(scriptBegin)
	for _, image := range c.Images {
		fmt.Fprintf(&out, "copy %s %s\n", quoteForShell(image.Source()), quoteForShell(image.Target()))
	}
	out.WriteString(scriptEnd)
	return out.String()
}

// quoteForShell returns a word of a shell.
func quoteForShell(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// ImageList returns the names of the images, one in each line.
func (c *Content) ImageList() string {
	var out strings.Builder
	for _, image := range c.Images {
		out.WriteString(image.Name + "\n")
	}
	return out.String()
}

// readme is the text of README.txt. Its arguments are the lists of charts and of images without a digest.
const readme = `Charts and images of an app market
==================================

charts/          the charts of the apps and of the apps that they require
images.txt       the names of the images that the apps use
mirror.sh        copies the images to a registry
hauler.yaml      the images as a manifest of Hauler, by tag
images.lock.yml  the images as an ImagesLock of imgpkg, by digest

Charts:

%s
1. Copy the images, on a machine that reaches the registries of the images and
   your registry, with crane or skopeo:

     ./mirror.sh registry.example/mirror

   The copy of docker.io/library/nginx:1.27 is
   registry.example/mirror/docker.io/library/nginx:1.27.

   If no machine reaches both, save the images in a file, and copy the file:

     hauler store sync -f hauler.yaml
     imgpkg copy --lock images.lock.yml --to-tar images.tar
%s%s
2. Make the nodes pull from your registry: configure it as a mirror of each
   registry in the container runtime, with the name of the registry as part of
   the path, or change the images with the values of the apps.

3. Offer the charts in the market of the cluster. Push them to a registry:

     for chart in charts/*.tgz; do helm push "$chart" oci://registry.example/charts; done
     kubectl market source add NAME oci://registry.example/charts -n NAMESPACE --charts %s

   or copy the folder charts to a directory that the operator can read:

     kubectl market source add NAME /charts -n NAMESPACE

   If the apps are Olares charts, add --profile olares.
`

// valuesNote returns the text about the images that only other values use, "" if there is none.
func (c *Content) valuesNote() string {
	var out strings.Builder
	for _, image := range c.Images {
		if len(image.Values) > 0 {
			fmt.Fprintf(&out, "     %s\n       %s\n", image.Name, lineOf(strings.Join(image.Values, ", ")))
		}
	}
	note := ""
	if out.Len() > 0 {
		note = "\n   The apps use these images only with the values of the named files:\n\n" + out.String()
	}
	out.Reset()
	for i := range c.Charts {
		for _, problem := range c.Charts[i].Problems {
			fmt.Fprintf(&out, "     %s: %s\n", c.Charts[i].App, lineOf(problem))
		}
	}
	if out.Len() > 0 {
		note += "\n   Charts could not be rendered with the values of these files:\n\n" + out.String()
	}
	return note
}

// lineOf returns a text of a chart as one line without control characters.
func lineOf(content string) string {
	return text.Printable(text.OneLine(content, maxLine), maxLine)
}

// maxLine is the maximum length of a text of a chart in README.txt.
const maxLine = 500

// Readme returns the text that explains the files.
func (c *Content) Readme() string {
	var charts, unresolved strings.Builder
	var names []string
	for i := range c.Charts {
		chart := &c.Charts[i]
		fmt.Fprintf(&charts, "  %s\n    from %s/%s, %s\n", chart.FileName(), chart.Namespace, chart.Source, chart.Digest)
		if chart.RequiredBy != "" {
			fmt.Fprintf(&charts, "    required by %s\n", chart.RequiredBy)
		}
		names = append(names, chart.App)
	}
	for _, image := range c.Undigested() {
		fmt.Fprintf(&unresolved, "     %s\n", image.Name)
		if image.Problem != "" {
			fmt.Fprintf(&unresolved, "       %s\n", lineOf(image.Problem))
		}
	}
	note := ""
	if unresolved.Len() > 0 {
		note = "\n   The digests of these images are not known. They are copied by tag, and\n   images.lock.yml does not contain them:\n\n" + unresolved.String()
	}
	return fmt.Sprintf(readme, charts.String(), note, c.valuesNote(), strings.Join(names, ","))
}
