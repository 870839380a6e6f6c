package preflight

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/images"
)

// pullRequirement is a workload with images that require credentials.
type pullRequirement struct {
	object *object
	// secrets contains the names of the image pull Secrets, and images the images that require credentials.
	secrets []string
	images  []string
}

// pullRequirements returns the workloads in the tenant's namespace that specify image pull Secrets and have images
// that require credentials. Whether nodes have credentials for other workloads is unknown.
func (d *Requirements) pullRequirements(facts *Facts) []pullRequirement {
	if len(d.request.PrivateImages) == 0 {
		return nil
	}
	var all []pullRequirement
	for i := range d.workloads {
		w := &d.workloads[i]
		if d.objectNamespace(w.object, facts) != d.request.Tenant.Namespace {
			continue
		}
		required := pullRequirement{object: w.object, secrets: d.pullSecretNames(&w.pod.Spec, facts), images: d.privateImages(&w.pod.Spec)}
		if len(required.secrets) > 0 && len(required.images) > 0 {
			all = append(all, required)
		}
	}
	return all
}

// pullSecretNames returns the names of the image pull Secrets of a Pod, or else of its service account if the app
// creates it.
func (d *Requirements) pullSecretNames(pod *corev1.PodSpec, facts *Facts) []string {
	references := pod.ImagePullSecrets
	if len(references) == 0 {
		account := cmp.Or(pod.ServiceAccountName, pod.DeprecatedServiceAccount, defaultAccount)
		if created := d.createdObject(corev1.SchemeGroupVersion, "ServiceAccount", account, facts); created != nil {
			if typed, err := decodeObject[corev1.ServiceAccount](created); err == nil {
				references = typed.ImagePullSecrets
			}
		}
	}
	var names []string
	for _, reference := range references {
		if reference.Name != "" && !slices.Contains(names, reference.Name) {
			names = append(names, reference.Name)
		}
	}
	return names
}

// privateImages returns the images of a Pod that require credentials: the images of the request, and images that the
// market does not know in a registry of one of them.
func (d *Requirements) privateImages(pod *corev1.PodSpec) []string {
	var private []string
	for _, list := range [][]corev1.Container{pod.InitContainers, pod.Containers} {
		for i := range list {
			name, err := images.NormalizeReference(list[i].Image)
			if err != nil || slices.Contains(private, name) {
				continue
			}
			_, isKnown := d.request.Platforms[name]
			if d.request.PrivateImages[name] || !isKnown && d.isPrivateRegistry(registryOf(name)) {
				private = append(private, name)
			}
		}
	}
	return private
}

// isPrivateRegistry reports whether an image of a registry requires credentials.
func (d *Requirements) isPrivateRegistry(registry string) bool {
	for image := range d.request.PrivateImages {
		if registryOf(image) == registry {
			return true
		}
	}
	return false
}

// PullSecrets returns the names of the image pull Secrets to read, sorted: those that the app does not create.
func (d *Requirements) PullSecrets(facts *Facts) []string {
	var names []string
	for _, required := range d.pullRequirements(facts) {
		for _, name := range required.secrets {
			if d.createdPullSecret(name, facts) == nil && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names[:min(len(names), maxPullSecrets)]
}

// createdPullSecret returns the image pull Secret that the app creates, or nil. The content is nil if another
// controller creates the Secret for an object of the app, such as an ExternalSecret.
func (d *Requirements) createdPullSecret(name string, facts *Facts) *pullSecretState {
	if created := d.createdObject(corev1.SchemeGroupVersion, "Secret", name, facts); created != nil {
		secret, err := decodeObject[corev1.Secret](created)
		if err != nil {
			return &pullSecretState{}
		}
		for key, value := range secret.StringData {
			if secret.Data == nil {
				secret.Data = map[string][]byte{}
			}
			secret.Data[key] = []byte(value)
		}
		found := ToPullSecret(secret)
		return &pullSecretState{secret: &found}
	}
	for i := range d.objects {
		o := &d.objects[i]
		if strings.Contains(o.gvk.Group, ".") && !strings.HasSuffix(o.gvk.Group, ".k8s.io") && bytes.Contains(o.text, []byte(`"`+name+`"`)) {
			return &pullSecretState{}
		}
	}
	return nil
}

// pullSecretState is the content of an image pull Secret, nil if it is unknown.
type pullSecretState struct{ secret *PullSecret }

// createdObject returns the object of the app with a kind and a name in the tenant's namespace, nil without one.
func (d *Requirements) createdObject(group schema.GroupVersion, kind, name string, facts *Facts) *object {
	for i := range d.objects {
		o := &d.objects[i]
		if o.isKind(group, kind) && o.name == name && d.objectNamespace(o, facts) == d.request.Tenant.Namespace {
			return o
		}
	}
	return nil
}

// checkPullSecrets reports image pull Secrets that do not exist or have no credentials for an image that requires
// them, one problem for each registry and list of Secrets.
func (d *Requirements) checkPullSecrets(facts *Facts) []Problem {
	type gap struct{ registry, faults string }
	titles, secrets := map[gap][]string{}, map[gap]string{}
	var order []gap
	for _, required := range d.pullRequirements(facts) {
		for _, image := range required.images {
			faults := d.pullFaults(required.secrets, image, facts)
			if faults == "" {
				continue
			}
			found := gap{registryOf(image), faults}
			if titles[found] == nil {
				order = append(order, found)
			}
			if title := required.object.kindAndName(); !slices.Contains(titles[found], title) {
				titles[found], secrets[found] = append(titles[found], title), required.secrets[0]
			}
		}
	}
	var problems []Problem
	for _, found := range order {
		problems = append(problems, newTransientProblem(v1alpha1.ReasonRegistryCredentialsRequired,
			"%s: registry %q requires credentials: %s in namespace %q; run kubectl create secret docker-registry %s --namespace %s --docker-server=%s --docker-username=USER --docker-password=PASSWORD, or set another image pull Secret in the values",
			joinNames(titles[found]), found.registry, found.faults, d.request.Tenant.Namespace, secrets[found], d.request.Tenant.Namespace, serverFor(found.registry)))
	}
	return problems
}

// pullFaults describes why none of the Secrets contains credentials for an image. It returns "" if one does, or if
// the content of one is unknown.
func (d *Requirements) pullFaults(names []string, image string, facts *Facts) string {
	var faults []string
	for _, name := range names {
		secret, isKnown := facts.PullSecrets[name]
		if created := d.createdPullSecret(name, facts); created != nil {
			secret, isKnown = created.secret, created.secret != nil
		}
		switch {
		case !isKnown || secret != nil && secret.Fault == "" && secret.covers(image):
			return ""
		case secret == nil:
			faults = append(faults, fmt.Sprintf("Secret %q not found", name))
		case secret.Fault != "":
			faults = append(faults, fmt.Sprintf("Secret %q %s", name, secret.Fault))
		default:
			faults = append(faults, fmt.Sprintf("Secret %q has no entry for the image", name))
		}
	}
	return joinNamesWith(", ", faults)
}
