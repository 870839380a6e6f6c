package collision

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
)

// maxClaims bounds how often one instance of an app may claim something.
const maxClaims = 50_000

// footprint is what an instance claims of a namespace and of the cluster. The
// keys say what is claimed, in full; two instances with a key in common get in
// each other's way.
type Footprint struct {
	claims map[string]claim
	scopes scopes
	// made counts the claims that were made, the same one each time.
	made int
}

// claim says who claims something and what it is, for people. A claim without a
// thing is that of an object's own name.
type claim struct {
	who   string
	thing string
	// follows is the key of another claim that says enough where it is shared too.
	follows string
}

func (c claim) less(other claim) bool {
	return cmp.Or(cmp.Compare(c.who, other.who), cmp.Compare(c.thing, other.thing)) < 0
}

// footprintOf reads what releases render to.
func NewFootprint(releases []Release) (Footprint, error) {
	f := Footprint{claims: map[string]claim{}, scopes: scopes{}}
	var found []placedObject
	for _, release := range releases {
		read, err := f.scopes.read(release)
		if err != nil {
			return Footprint{}, err
		}
		found = append(found, read...)
	}
	pods := podIndex{}
	for _, o := range found {
		if f.full() {
			break
		}
		f.addName(o)
		f.addNetwork(o)
		f.addPods(o, pods)
	}
	f.addSelectors(found, pods)
	if f.full() {
		return Footprint{}, outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "read objects: more than %d names, hosts, ports and paths", maxClaims)
	}
	return f, nil
}

// moved is the footprint in another namespace, as far as it names the namespace.
func (f Footprint) Renamed(from, to string) Footprint {
	moved := Footprint{claims: make(map[string]claim, len(f.claims)), scopes: f.scopes, made: f.made}
	for key, c := range f.claims {
		moved.claims[strings.ReplaceAll(key, from, to)] = c
	}
	return moved
}

// shared are the claims that two footprints have in common and a third has not, as
// sentences. One about a name says so in the given words.
func (f Footprint) SharedWith(other Footprint, sameName string, except Footprint) []string {
	common := func(key string) bool {
		_, mine := f.claims[key]
		_, theirs := other.claims[key]
		return mine && theirs
	}
	var sentences []string
	for key, c := range f.claims {
		_, excepted := except.claims[key]
		if !common(key) || excepted || common(c.follows) {
			continue
		}
		sentences = append(sentences, text.Printable(c.who+": "+cmp.Or(c.thing, sameName), MaxCollisionBytes))
	}
	return sentences
}

// add notes a claim. Of two objects that claim the same, the first by name is
// said to: an object is read in no particular order.
func (f *Footprint) add(key string, c claim) {
	f.made++
	if known, ok := f.claims[key]; !f.full() && (!ok || c.less(known)) {
		f.claims[key] = c
	}
}

// full reports whether so much is claimed that there is no use in reading on.
func (f *Footprint) full() bool { return f.made > maxClaims }

// addThing notes a claim to something that the cluster has once.
func (f *Footprint) addThing(o placedObject, format string, args ...any) {
	thing := fmt.Sprintf(format, args...)
	f.add("thing\x00"+thing, claim{who: o.title(), thing: thing})
}

// addName notes the claim to the object's own name. One without a name gets one of
// its own from the API server. Definitions in crds/ are left out: Helm installs
// them once and passes over those that are there.
func (f *Footprint) addName(o placedObject) {
	if o.Name() != "" && !o.definition {
		f.add(f.nameKey(o), claim{who: o.title()})
	}
}

// nameKey is the key of the claim to an object's own name.
func (f *Footprint) nameKey(o placedObject) string {
	namespace := o.namespace
	if f.scopes.cluster(o.Map) {
		namespace = ""
	}
	return strings.Join([]string{"name", o.Group(), o.Kind(), namespace, o.Name()}, "\x00")
}

// placedObject is an object with the namespace that it comes into.
type placedObject struct {
	objects.Map
	namespace string
	// fixed says that the namespace is the object's own choice.
	fixed bool
	// definition says that it comes from crds/.
	definition bool
}

// title names the object for people, as "Service web".
func (o placedObject) title() string {
	if o.fixed {
		return o.Kind() + " " + o.namespace + "/" + o.Name()
	}
	return o.Kind() + " " + o.Name()
}

// scopes are the kinds that a chart defines itself, by group and kind, true for
// those of the cluster.
type scopes map[string]bool

// read lists the objects of a release and notes what is defined in it.
func (s scopes) read(release Release) ([]placedObject, error) {
	var found []placedObject
	for _, doc := range release.Documents {
		definition := objects.IsCRDFile(doc.Path)
		err := objects.Each(doc, func(o objects.Map) error {
			if len(found) == objects.MaxObjects {
				return outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "list objects: more than %d objects", objects.MaxObjects)
			}
			if o.Kind() == "CustomResourceDefinition" {
				spec := o.At("spec")
				s[spec.Text("group")+"/"+spec.At("names").Text("kind")] = spec.Text("scope") == "Cluster"
			}
			own := o.At("metadata").Text("namespace")
			found = append(found, placedObject{
				Map: o, namespace: cmp.Or(own, release.Namespace), definition: definition,
				fixed: own != "" && own != release.Namespace,
			})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// cluster reports whether an object is of the cluster and in no namespace. A kind
// that nobody knows counts as one in a namespace, as most are.
func (s scopes) cluster(o objects.Map) bool {
	kind := o.Group() + "/" + o.Kind()
	if own, ok := s[kind]; ok {
		return own
	}
	return objects.IsClusterScoped[kind]
}
