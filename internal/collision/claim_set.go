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

// maxClaims is the maximum number of claims of one instance of an app.
const maxClaims = 50_000

// ClaimSet is the set of claims of an instance in its namespace and in the cluster. The
// keys identify the claimed resources completely: two instances collide if they have a key
// in common.
type ClaimSet struct {
	claims map[string]claim
	scopes scopes
	// made counts all calls of add, including those with a known key.
	made int
}

// claim describes, for a message, the object that claims a resource and the resource. thing
// is empty if the resource is the name of the object.
type claim struct {
	who   string
	thing string
	// follows is the key of another claim. If both instances have that one too, this claim
	// is not reported.
	follows string
}

func (c claim) isLess(other claim) bool {
	return cmp.Or(cmp.Compare(c.who, other.who), cmp.Compare(c.thing, other.thing)) < 0
}

// NewClaimSet returns the claims of the rendered documents of releases.
func NewClaimSet(releases []Release) (ClaimSet, error) {
	f := ClaimSet{claims: map[string]claim{}, scopes: scopes{}}
	var found []placedObject
	for _, release := range releases {
		read, err := f.scopes.readObjects(release)
		if err != nil {
			return ClaimSet{}, err
		}
		found = append(found, read...)
	}
	pods := podIndex{}
	for _, o := range found {
		if f.isFull() {
			break
		}
		f.addName(o)
		f.addNetwork(o)
		f.addPods(o, pods)
	}
	f.addSelectors(found, pods)
	if f.isFull() {
		return ClaimSet{}, outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "read objects: more than %d names, hosts, ports and paths", maxClaims)
	}
	return f, nil
}

// ReplaceNamespace returns the claims with the namespace from replaced by to in all keys.
func (f ClaimSet) ReplaceNamespace(from, to string) ClaimSet {
	moved := ClaimSet{claims: make(map[string]claim, len(f.claims)), scopes: f.scopes, made: f.made}
	for key, c := range f.claims {
		moved.claims[strings.ReplaceAll(key, from, to)] = c
	}
	return moved
}

// SharedWith returns the claims that both sets have and except does not have, as
// sentences. sameName is the text for claims to the name of an object.
func (f ClaimSet) SharedWith(other ClaimSet, sameName string, except ClaimSet) []string {
	common := func(key string) bool {
		_, inFirst := f.claims[key]
		_, inSecond := other.claims[key]
		return inFirst && inSecond
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

// addClaim adds a claim. If several objects claim the same resource, the first in order of name
// is kept, because objects are read in random order.
func (f *ClaimSet) addClaim(key string, c claim) {
	f.made++
	if known, ok := f.claims[key]; !f.isFull() && (!ok || c.isLess(known)) {
		f.claims[key] = c
	}
}

// isFull reports whether the limit on claims is exceeded, so that reading can stop.
func (f *ClaimSet) isFull() bool { return f.made > maxClaims }

// addThing adds a claim to a resource that exists once per cluster.
func (f *ClaimSet) addThing(o placedObject, format string, args ...any) {
	thing := fmt.Sprintf(format, args...)
	f.addClaim("thing\x00"+thing, claim{who: o.kindAndName(), thing: thing})
}

// addName adds a claim to the name of an object. An object without a name is skipped
// because the API server generates a unique one. CRDs in crds/ are skipped because Helm
// installs them once and ignores those that exist.
func (f *ClaimSet) addName(o placedObject) {
	if o.Name() != "" && !o.definition {
		f.addClaim(f.nameKey(o), claim{who: o.kindAndName()})
	}
}

// nameKey returns the key of the claim to the name of an object.
func (f *ClaimSet) nameKey(o placedObject) string {
	namespace := o.namespace
	if f.scopes.isClusterScoped(o.Map) {
		namespace = ""
	}
	return strings.Join([]string{"name", o.Group(), o.Kind(), namespace, o.Name()}, "\x00")
}

// placedObject is an object with the namespace in which it is created.
type placedObject struct {
	objects.Map
	namespace string
	// fixed reports whether the object itself sets a namespace that differs from the
	// release's.
	fixed bool
	// definition reports whether the object is in crds/.
	definition bool
}

// kindAndName returns the kind and the name of the object, such as "Service web".
func (o placedObject) kindAndName() string {
	if o.fixed {
		return o.Kind() + " " + o.namespace + "/" + o.Name()
	}
	return o.Kind() + " " + o.Name()
}

// scopes contains the kinds that a chart defines, in the form "<group>/<kind>". The value
// is true for a cluster-scoped kind.
type scopes map[string]bool

// readObjects returns the objects of a release and adds the kinds that its CRDs define.
func (s scopes) readObjects(release Release) ([]placedObject, error) {
	var found []placedObject
	for _, doc := range release.Documents {
		definition := objects.IsCRDFile(doc.Path)
		err := objects.EachObject(doc, func(o objects.Map) error {
			if len(found) == objects.MaxObjects {
				return outcome.Stalledf(v1alpha1.ReasonLimitExceeded, "list objects: more than %d objects", objects.MaxObjects)
			}
			if o.Kind() == "CustomResourceDefinition" {
				spec := o.MapAt("spec")
				s[spec.TextAt("group")+"/"+spec.MapAt("names").TextAt("kind")] = spec.TextAt("scope") == "Cluster"
			}
			own := o.MapAt("metadata").TextAt("namespace")
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

// isClusterScoped reports whether an object is cluster-scoped. An unknown kind counts as namespaced
// because most kinds are.
func (s scopes) isClusterScoped(o objects.Map) bool {
	kind := o.Group() + "/" + o.Kind()
	if own, ok := s[kind]; ok {
		return own
	}
	return objects.IsClusterScoped[kind]
}
