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
	// account is the service account of Pods that specify no Secrets, "" for other Pods. isExisting reports that the app
	// does not create it.
	account    string
	isExisting bool
}

// pullRequirements returns the workloads in the tenant's namespace that have image pull Secrets and images that
// require credentials. Whether nodes have credentials for other workloads is unknown.
func (d *Requirements) pullRequirements(facts *Facts) []pullRequirement {
	var all []pullRequirement
	for _, required := range d.privateWorkloads(facts) {
		if required.isExisting {
			required.secrets = uniqueNames(facts.AccountPullSecrets[required.account])
		}
		if len(required.secrets) > 0 {
			all = append(all, required)
		}
	}
	return all
}

// privateWorkloads returns the workloads in the tenant's namespace with images that require credentials, without the
// Secrets of existing service accounts. The Secrets of a service account apply only to Pods that specify none.
func (d *Requirements) privateWorkloads(facts *Facts) []pullRequirement {
	if len(d.request.PrivateImages) == 0 {
		return nil
	}
	var all []pullRequirement
	for i := range d.workloads {
		w := &d.workloads[i]
		if d.objectNamespace(w.object, facts) != d.request.Tenant.Namespace {
			continue
		}
		pod := &w.pod.Spec
		required := pullRequirement{object: w.object, images: d.privateImages(pod), secrets: uniqueNames(pod.ImagePullSecrets)}
		if len(required.images) == 0 {
			continue
		}
		if len(pod.ImagePullSecrets) == 0 {
			required.account = cmp.Or(pod.ServiceAccountName, pod.DeprecatedServiceAccount, defaultAccount)
			created := d.createdObject(corev1.SchemeGroupVersion, "ServiceAccount", required.account, facts)
			required.isExisting = created == nil
			required.secrets = secretsOfAccount(created)
		}
		all = append(all, required)
	}
	return all
}

// secretsOfAccount returns the names of the image pull Secrets of a service account that the app creates.
func secretsOfAccount(created *object) []string {
	if created == nil {
		return nil
	}
	account, err := decodeObject[corev1.ServiceAccount](created)
	if err != nil {
		return nil
	}
	return uniqueNames(account.ImagePullSecrets)
}

// uniqueNames returns the names of the first maxPullSecrets Secrets, without duplicates.
func uniqueNames(references []corev1.LocalObjectReference) []string {
	var names []string
	for _, reference := range references[:min(len(references), maxPullSecrets)] {
		if reference.Name != "" && !slices.Contains(names, reference.Name) {
			names = append(names, reference.Name)
		}
	}
	return names
}

// PullAccounts returns the names of the service accounts whose image pull Secrets are to be read, at most
// maxPullAccounts: the accounts of Pods with images that require credentials, unless the app creates the account.
func (d *Requirements) PullAccounts(facts *Facts) []string {
	var names []string
	for _, required := range d.privateWorkloads(facts) {
		if required.isExisting && !slices.Contains(names, required.account) && len(names) < maxPullAccounts {
			names = append(names, required.account)
		}
	}
	return names
}

// privateImages returns the images of a Pod that require credentials: the images in the request, and images that the
// market does not know in a registry of one of them.
func (d *Requirements) privateImages(pod *corev1.PodSpec) []string {
	var private []string
	seen := map[string]bool{}
	for _, list := range [][]corev1.Container{pod.InitContainers, pod.Containers} {
		for i := range list {
			name, err := images.NormalizeReference(list[i].Image)
			if err != nil || seen[name] {
				continue
			}
			seen[name] = true
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
	for name, state := range d.pullSecretStates(d.pullRequirements(facts), facts) {
		if !state.isCreated {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// pullSecretState is the known content of an image pull Secret.
type pullSecretState struct {
	// secret is nil if the Secret does not exist. isKnown reports whether the content is known, and isCreated whether
	// the app creates the Secret.
	secret             *PullSecret
	isKnown, isCreated bool
}

// pullSecretStates returns the states of the first maxPullSecrets Secrets that workloads specify, by name. The content
// of others is unknown.
func (d *Requirements) pullSecretStates(all []pullRequirement, facts *Facts) map[string]pullSecretState {
	states := map[string]pullSecretState{}
	for _, required := range all {
		for _, name := range required.secrets {
			if _, exists := states[name]; !exists && len(states) < maxPullSecrets {
				states[name] = d.pullSecretState(name, facts)
			}
		}
	}
	return states
}

// pullSecretState returns the state of a Secret. The content is unknown if another controller creates the Secret for an
// object of the app, such as an ExternalSecret.
func (d *Requirements) pullSecretState(name string, facts *Facts) pullSecretState {
	if created := d.createdObject(corev1.SchemeGroupVersion, "Secret", name, facts); created != nil {
		secret, err := decodeObject[corev1.Secret](created)
		if err != nil {
			return pullSecretState{isCreated: true}
		}
		for key, value := range secret.StringData {
			if secret.Data == nil {
				secret.Data = map[string][]byte{}
			}
			secret.Data[key] = []byte(value)
		}
		found := ToPullSecret(secret)
		return pullSecretState{secret: &found, isKnown: true, isCreated: true}
	}
	for i := range d.objects {
		o := &d.objects[i]
		if strings.Contains(o.gvk.Group, ".") && !strings.HasSuffix(o.gvk.Group, ".k8s.io") && bytes.Contains(o.text, []byte(`"`+name+`"`)) {
			return pullSecretState{isCreated: true}
		}
	}
	secret, isKnown := facts.PullSecrets[name]
	return pullSecretState{secret: secret, isKnown: isKnown}
}

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
	type gap struct{ registry, faults, advice string }
	titles := map[gap][]string{}
	var order []gap
	requirements := d.pullRequirements(facts)
	states := d.pullSecretStates(requirements, facts)
	for _, required := range requirements {
		for _, image := range required.images {
			faults, advice := d.pullFaults(&required, image, states)
			if faults == "" {
				continue
			}
			found := gap{registryOf(image), faults, advice}
			if titles[found] == nil {
				order = append(order, found)
			}
			if title := required.object.kindAndName(); !slices.Contains(titles[found], title) {
				titles[found] = append(titles[found], title)
			}
		}
	}
	var problems []Problem
	for _, found := range order {
		problems = append(problems, newTransientProblem(v1alpha1.ReasonRegistryCredentialsRequired,
			"%s: registry %q requires credentials, and in namespace %q %s; %s, or set another image pull Secret in the values",
			joinNames(titles[found]), found.registry, d.request.Tenant.Namespace, found.faults, found.advice))
	}
	return problems
}

// pullFaults describes why none of the Secrets contains credentials for an image, and what to do about the first one.
// It returns "" if one does, or if the content of one is unknown. A valid Secret of an existing service account that has
// no entry for the image is no fault: it can be for other images, as the nodes can have credentials for this one.
func (d *Requirements) pullFaults(of *pullRequirement, image string, states map[string]pullSecretState) (described, advice string) {
	var faults []string
	for _, name := range of.secrets {
		state := states[name]
		isValid := state.secret != nil && state.secret.Fault == ""
		if !state.isKnown || isValid && state.secret.covers(image) {
			return "", ""
		}
		if isValid && of.isExisting {
			continue
		}
		title := fmt.Sprintf("Secret %q", name)
		if of.isExisting {
			title += fmt.Sprintf(" of service account %q", of.account)
		}
		fault, solution := d.pullFault(name, image, state.secret)
		faults, advice = append(faults, title+" "+fault), cmp.Or(advice, solution)
	}
	return joinNamesWith(", ", faults), advice
}

// pullFault describes why a Secret contains no credentials for an image, and what to do. secret is nil if the Secret
// does not exist.
func (d *Requirements) pullFault(name, image string, secret *PullSecret) (fault, advice string) {
	create := fmt.Sprintf("run kubectl create secret docker-registry %s --namespace %s --docker-server=%s --docker-username=USER --docker-password=PASSWORD",
		name, d.request.Tenant.Namespace, serverFor(registryOf(image)))
	switch {
	case secret == nil:
		return "not found", create
	case secret.Fault != "":
		return secret.Fault, "delete it and " + create
	}
	return "has no entry for the image", "add the registry to the Secret"
}
