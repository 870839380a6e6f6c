package comparison

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v2"

	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/text"
)

const (
	// maxObjectsBytes is the maximum size of the report with the rendered objects, and maxObjectBytes of an
	// object whose lines are compared.
	maxObjectsBytes = 2 << 20
	maxObjectBytes  = 256 << 10
	// maxParsedBytes is the maximum size of all objects after the expansion of their aliases.
	maxParsedBytes = 8 << 20
	// masked replaces the contents of Secrets.
	masked = "(masked)"
)

// versionLabels are labels that differ between all versions. They are not compared.
var versionLabels = []string{"helm.sh/chart", "app.kubernetes.io/version"}

// ObjectChange is a difference between rendered objects.
type ObjectChange struct {
	Change                Change
	Kind, Namespace, Name string
	// Lines are the lines in which the objects differ, if both versions have the object.
	Lines Lines
}

// compareObjects compares rendered objects by their kinds and names.
func compareObjects(differ *lineDiffer, from, to []byte) (section Section[ObjectChange]) {
	before, err := objectsByName(differ, from)
	if err != nil {
		section.Problem = problemOf(err)
		return section
	}
	after, err := objectsByName(differ, to)
	if err != nil {
		section.Problem = problemOf(err)
		return section
	}
	for _, key := range sortedUnion(before, after) {
		was, had := before[key]
		is, has := after[key]
		switch {
		case !had:
			section.add(is.changeOf(Added))
		case !has:
			section.add(was.changeOf(Removed))
		case was.text != is.text:
			change := is.changeOf(Changed)
			if len(section.Listed) < MaxListed {
				change.Lines = differ.compareLines(was.text, is.text)
			}
			section.add(change)
		}
	}
	return section
}

// renderedObject is an object as YAML with sorted keys.
type renderedObject struct{ kind, namespace, name, text string }

func (o renderedObject) changeOf(change Change) ObjectChange {
	return ObjectChange{Change: change, Kind: o.kind, Namespace: o.namespace, Name: o.name}
}

// objectsByName returns the objects of a report by kind, namespace and name. Several objects with one name
// are one.
func objectsByName(differ *lineDiffer, report []byte) (map[string]renderedObject, error) {
	if len(report) > maxObjectsBytes {
		return nil, fmt.Errorf("objects.yaml has %d bytes, at most %d are compared", len(report), maxObjectsBytes)
	}
	found, count, left := map[string]renderedObject{}, 0, maxParsedBytes
	for _, document := range objects.SplitDocuments(string(report)) {
		if differ.ctx.Err() != nil {
			return nil, errors.New("the comparison takes too long")
		}
		err := objects.EachObject(objects.NewDocument("objects.yaml", document), func(o objects.Map) error {
			if count++; count > objects.MaxObjects {
				return errTooMany
			}
			if left -= sizeOf(o, 0, left); left < 0 {
				return fmt.Errorf("%s: the objects of a version are too large or nested too deep to be compared", text.Printable(o.KindAndName(), maxNameBytes))
			}
			object, err := newRenderedObject(o)
			if err != nil {
				return err
			}
			key := o.Kind() + "." + o.Group() + "\x00" + object.namespace + "\x00" + object.name
			if other, isThere := found[key]; isThere {
				object.text = other.text + "---\n" + object.text
			}
			found[key] = object
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// newRenderedObject returns an object without its version labels and without the contents of a Secret.
func newRenderedObject(o objects.Map) (renderedObject, error) {
	if o.Kind() == "Secret" {
		for _, field := range []string{"data", "stringData"} {
			for key := range o.MapAt(field) {
				o.MapAt(field)[key] = masked
			}
		}
		delete(o.MapAt("metadata").MapAt("annotations"), "kubectl.kubernetes.io/last-applied-configuration")
	}
	removeVersionLabels(o)
	written, err := yaml.Marshal(o)
	if err != nil {
		return renderedObject{}, fmt.Errorf("write object: %w", err)
	}
	if len(written) > maxObjectBytes {
		written = fmt.Appendf(nil, "# %d bytes of %d\n%s", maxObjectBytes, len(written), written[:maxObjectBytes])
	}
	return renderedObject{
		kind: text.Printable(o.Kind(), maxNameBytes), namespace: text.Printable(o.MapAt("metadata").TextAt("namespace"), maxNameBytes),
		name: text.Printable(o.Name(), maxNameBytes), text: strings.TrimSuffix(string(written), "\n"),
	}, nil
}

// removeVersionLabels removes the version labels of an object and of its templates.
func removeVersionLabels(value any) {
	switch value := value.(type) {
	case objects.Map:
		for key, item := range value {
			if labels, isMap := item.(objects.Map); isMap && key == "labels" {
				for _, label := range versionLabels {
					delete(labels, label)
				}
			}
			removeVersionLabels(item)
		}
	case []any:
		for _, item := range value {
			removeVersionLabels(item)
		}
	}
}

// sizeOf returns about the size of a value with its aliases expanded, a number larger than most if it is
// larger or nested too deep.
func sizeOf(value any, depth, most int) int {
	if depth > objects.MaxDepth {
		return most + 1
	}
	size := 2 * (depth + 1)
	switch value := value.(type) {
	case string:
		size += len(value)
	case objects.Map:
		for key, item := range value {
			if size += sizeOf(key, depth, most) + sizeOf(item, depth+1, most-size); size > most {
				return most + 1
			}
		}
	case []any:
		for _, item := range value {
			if size += sizeOf(item, depth+1, most-size); size > most {
				return most + 1
			}
		}
	}
	return size
}
