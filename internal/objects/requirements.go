package objects

import "strings"

// Requirements describes what the objects of an app require from a cluster.
type Requirements struct {
	// Kinds are the kinds that the app does not define itself, except those that every supported
	// Kubernetes version serves. There are at most 60.
	Kinds []RequiredKind
	// StorageClasses and IngressClasses are the names of the classes to which objects refer, at most 20.
	// A StorageClass or IngressClass of the app is omitted.
	StorageClasses, IngressClasses []string
	// PullSecrets are the names of the image pull Secrets of Pods and service accounts that the app does not
	// create, at most 20.
	PullSecrets []string
	// NeedsDefaultStorageClass reports whether a claim does not specify a storage class.
	NeedsDefaultStorageClass bool
	// PodRequests are the largest requests of one Pod for each resource, sorted by name, at most 20.
	PodRequests []ResourceRequest
}

// RequiredKind is a kind in an API version.
type RequiredKind struct{ APIVersion, Kind string }

// ResourceRequest is the requested amount of a resource, as a quantity.
type ResourceRequest struct{ Name, Amount string }

// servedVersions are the API versions that every supported Kubernetes version serves.
var servedVersions = map[string]bool{
	"v1": true, "apps/v1": true, "batch/v1": true, "autoscaling/v1": true, "autoscaling/v2": true, "policy/v1": true,
	"networking.k8s.io/v1": true, "rbac.authorization.k8s.io/v1": true, "storage.k8s.io/v1": true,
	"scheduling.k8s.io/v1": true, "coordination.k8s.io/v1": true, "apiextensions.k8s.io/v1": true,
	"apiregistration.k8s.io/v1": true, "discovery.k8s.io/v1": true, "node.k8s.io/v1": true, "events.k8s.io/v1": true,
	"certificates.k8s.io/v1": true,
}

// maxNameBytes is the maximum length of the names of kinds, classes and resources that are recorded.
const maxNameBytes = 253

// addRequirements adds the kind and the classes of an object.
func (d *describer) addRequirements(o Map) {
	version := o.TextAt("apiVersion")
	if !servedVersions[version] && !d.own[o.Group()+"/"+o.Kind()] && len(version) <= maxNameBytes && len(o.Kind()) <= maxNameBytes {
		d.kinds[RequiredKind{APIVersion: version, Kind: o.Kind()}] = true
	}
	d.addPullSecrets(o.PodSpec())
	switch {
	case o.IsClaim():
		d.addStorageClass(o)
	case o.Group() == "" && o.Kind() == "ServiceAccount":
		d.addPullSecrets(o)
	case o.Group() == "apps" && o.Kind() == "StatefulSet":
		for _, template := range o.MapAt("spec").MapsAt("volumeClaimTemplates") {
			d.addStorageClass(template)
		}
	case strings.HasPrefix(version, "networking.k8s.io/") && o.Kind() == "Ingress":
		if name := o.MapAt("spec").TextAt("ingressClassName"); name != "" && len(name) <= maxNameBytes {
			d.ingressClasses[name] = true
		}
	}
}

// addStorageClass adds the storage class of a claim. A claim that names a volume or an empty class uses an
// existing volume.
func (d *describer) addStorageClass(claim Map) {
	spec := claim.MapAt("spec")
	name, isSet := spec["storageClassName"].(string)
	switch {
	case spec.TextAt("volumeName") != "":
	case !isSet:
		d.needsDefaultStorageClass = true
	case name != "" && len(name) <= maxNameBytes:
		d.storageClasses[name] = true
	}
}

// addPullSecrets adds the image pull Secrets of the spec of a Pod, or of a service account.
func (d *describer) addPullSecrets(of Map) {
	for _, secret := range of.MapsAt("imagePullSecrets") {
		if name := secret.TextAt("name"); name != "" && len(name) <= maxNameBytes {
			d.pullSecrets[name] = true
		}
	}
}

// omitOwnObjects removes the classes and Secrets that the app creates.
func (d *describer) omitOwnObjects(o Map) {
	switch o.Group() + "/" + o.Kind() {
	case "/Secret":
		delete(d.pullSecrets, o.Name())
	case "storage.k8s.io/StorageClass":
		delete(d.storageClasses, o.Name())
	case "networking.k8s.io/IngressClass":
		delete(d.ingressClasses, o.Name())
	case "/PersistentVolume":
		delete(d.storageClasses, o.MapAt("spec").TextAt("storageClassName"))
	}
}
