package images

import (
	"regexp"
	"slices"
	"strings"

	"github.com/appmarket/operator/internal/objects"
)

const (
	// relatedImage begins the names of environment variables from which operators read the images that they start.
	relatedImage = "RELATED_IMAGE_"
	// listAnnotation contains images that an object makes the cluster pull.
	listAnnotation = "appmarket.io/images"
	// pathsAnnotation contains the paths of fields with images, such as spec.agents[*].image. On a
	// CustomResourceDefinition it applies to all objects of its kind.
	pathsAnnotation = "appmarket.io/image-paths"
	// maxPaths is the maximum number of paths in an annotation.
	maxPaths = 50
)

// builtInGroup matches the API groups of Kubernetes.
var builtInGroup = regexp.MustCompile(`^(apps|autoscaling|batch|extensions|policy|([a-z0-9-]+\.)+k8s\.io)?$`)

// versionTag matches tags that contain a version, which no port does.
var versionTag = regexp.MustCompile(`:v?\d+\.\d[\w.-]*$`)

// addContainer adds the images in the environment and the arguments of a container.
func (f *finder) addContainer(container objects.Map, where string) {
	f.addEnvironment(container, where)
	f.addArguments(slices.Concat(container.TextsAt("command"), container.TextsAt("args")), where)
}

// addEnvironment adds the images in the environment variables of a container.
func (f *finder) addEnvironment(container objects.Map, where string) {
	for _, variable := range container.MapsAt("env") {
		name, value := variable.TextAt("name"), variable.TextAt("value")
		isImage := (name == "IMAGE" || strings.HasSuffix(name, "_IMAGE")) && hasTag(value)
		if strings.HasPrefix(name, relatedImage) || isImage {
			f.announce(value, where+" env "+name)
		}
	}
}

// addArguments adds the images in the arguments of a container, in the forms --flag=value and --flag value.
func (f *finder) addArguments(arguments []string, where string) {
	for i, argument := range arguments {
		if !strings.HasPrefix(argument, "-") {
			continue
		}
		flag, value, isAssigned := strings.Cut(argument, "=")
		if !isAssigned && i+1 < len(arguments) {
			value = arguments[i+1]
		}
		isImage := strings.Contains(strings.ToLower(flag), "image") && hasTag(value)
		if isImage || isAssigned && hasRegistry(value) && (versionTag.MatchString(value) || strings.Contains(value, "@sha256:")) {
			f.announce(value, where+" argument "+flag)
		}
	}
}

// addFields adds the images in the fields of a map of a custom resource whose names end with image: a reference
// with a tag, or the fields registry, repository and tag of a reference.
func (f *finder) addFields(in, value objects.Map) {
	for key, field := range value {
		name, _ := key.(string)
		if !strings.HasSuffix(strings.ToLower(name), "image") {
			continue
		}
		where := in.KindAndName() + " field " + name
		switch field := field.(type) {
		case string:
			if tag := value.TextAt("tag"); tag != "" && !hasTag(field) {
				field += ":" + tag
			}
			if hasTag(field) {
				f.announce(field, where)
			}
		case objects.Map:
			if reference := joinReference(field); reference != "" {
				f.announce(reference, where)
			}
		}
	}
}

// joinReference returns the reference whose parts are fields of a map, empty if a part is missing.
func joinReference(parts objects.Map) string {
	repository, tag := parts.TextAt("repository"), parts.TextAt("tag")
	if repository == "" || tag == "" {
		return ""
	}
	if registry := parts.TextAt("registry"); registry != "" {
		repository = registry + "/" + repository
	}
	if digest := parts.TextAt("digest"); strings.HasPrefix(digest, "sha256:") {
		return repository + "@" + digest
	}
	return repository + ":" + tag
}

// addAnnotated adds the images that the annotations of an object declare, and the images at the paths of its kind. The
// contents of Secrets do not count.
func (f *finder) addAnnotated(o objects.Map) {
	if o.Kind() == "Secret" {
		return
	}
	annotations := o.MapAt("metadata").MapAt("annotations")
	for _, reference := range splitList(annotations.TextAt(listAnnotation)) {
		f.announce(reference, o.KindAndName()+" annotation "+listAnnotation)
	}
	paths := f.paths[o.Group()+"/"+o.Kind()]
	if o.Kind() != definitionKind {
		paths = append(paths, splitList(annotations.TextAt(pathsAnnotation))...)
	}
	for _, path := range paths[:min(len(paths), maxPaths)] {
		f.addPath(o, strings.Split(path, "."), o.KindAndName()+" field "+path)
	}
}

// addPath adds the images at a path of a value. A part that ends with [*] selects all items of a list.
func (f *finder) addPath(value any, path []string, where string) {
	if len(path) == 0 {
		if reference, isText := value.(string); isText {
			f.announce(reference, where)
		}
		return
	}
	name, isList := strings.CutSuffix(path[0], "[*]")
	parent, _ := value.(objects.Map)
	field := parent[name]
	if !isList {
		f.addPath(field, path[1:], where)
		return
	}
	items, _ := field.([]any)
	for _, item := range items {
		f.addPath(item, path[1:], where)
	}
}

// definitionKind is the kind of objects that define kinds.
const definitionKind = "CustomResourceDefinition"

// readPaths records the paths that a CustomResourceDefinition declares for the objects of its kind.
func (f *finder) readPaths(o objects.Map) {
	if o.Kind() != definitionKind {
		return
	}
	spec := o.MapAt("spec")
	if paths := splitList(o.MapAt("metadata").MapAt("annotations").TextAt(pathsAnnotation)); len(paths) > 0 {
		f.paths[spec.TextAt("group")+"/"+spec.MapAt("names").TextAt("kind")] = paths
	}
}

// announce records an image that is named by a convention or an annotation.
func (f *finder) announce(reference, where string) {
	f.announced[announcement{reference, where}] = true
}

// announcement is a reference that a chart announces, and its place.
type announcement struct{ reference, where string }

// splitList returns the items of a list that are separated by commas or white space.
func splitList(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' })
}

// hasTag reports whether a text is a reference with a tag or a digest.
func hasTag(text string) bool {
	name, digest, _ := strings.Cut(text, "@")
	if last := name[strings.LastIndex(name, "/")+1:]; !strings.Contains(last, ":") && digest == "" {
		return false
	}
	_, err := NormalizeReference(text)
	return err == nil
}

// hasRegistry reports whether a text is a reference that begins with the host of a registry.
func hasRegistry(text string) bool {
	host, rest, found := strings.Cut(text, "/")
	if !found || rest == "" || !strings.ContainsAny(host, ".:") {
		return false
	}
	_, err := NormalizeReference(text)
	return err == nil
}
