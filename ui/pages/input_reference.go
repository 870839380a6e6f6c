package pages

import (
	"slices"
	"strings"

	storagev1 "k8s.io/api/storage/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/ui/locale"
)

// The kinds of objects from which an input can be read, as the kubectl plugin writes them.
const (
	referenceToSecret    = "secret"
	referenceToConfigMap = "configmap"
	referenceToOutput    = "output"
)

// maxStorageClasses is the number of StorageClasses that a form proposes, and maxOutputInstances the number of instances
// whose outputs it proposes.
const maxStorageClasses, maxOutputInstances = 100, 30

// inputReference refers to the object from which an input is read.
type inputReference struct {
	// Kind is secret, configmap or output.
	Kind string
	// Name is the name of the Secret, ConfigMap or instance, and Key the key or the name of the output.
	Name, Key string
}

// enteredReference returns the reference that a request contains for an input.
func enteredReference(r *request, input string) inputReference {
	reference := inputReference{
		Kind: r.PostFormValue("from." + input),
		Name: strings.TrimSpace(r.PostFormValue("secret." + input)), Key: strings.TrimSpace(r.PostFormValue("key." + input)),
	}
	if reference.Kind != referenceToConfigMap && reference.Kind != referenceToOutput {
		reference.Kind = referenceToSecret
	}
	return reference
}

// referenceOf returns a reference in a task.
func referenceOf(source *v1alpha1.InputValueSource) inputReference {
	switch {
	case source == nil:
	case source.SecretKeyRef != nil:
		return inputReference{referenceToSecret, source.SecretKeyRef.Name, source.SecretKeyRef.Key}
	case source.ConfigMapKeyRef != nil:
		return inputReference{referenceToConfigMap, source.ConfigMapKeyRef.Name, source.ConfigMapKeyRef.Key}
	case source.OutputRef != nil:
		return inputReference{referenceToOutput, source.OutputRef.Name, source.OutputRef.Key}
	}
	return inputReference{}
}

// IsEntered reports whether the value is read from an object.
func (i inputReference) IsEntered() bool { return i.Name != "" || i.Key != "" }

// problem returns what is wrong with the reference, empty if it is complete or not entered.
func (i inputReference) problem(l *locale.Language) string {
	switch {
	case (i.Name == "") == (i.Key == ""):
		return ""
	case i.Kind == referenceToSecret:
		return l.Text("fieldProblem.secret")
	}
	return l.Text("inputReference.problem")
}

// source returns the reference in the form of the API.
func (i inputReference) source() *v1alpha1.InputValueSource {
	key := &v1alpha1.KeyReference{Name: i.Name, Key: i.Key}
	switch i.Kind {
	case referenceToConfigMap:
		return &v1alpha1.InputValueSource{ConfigMapKeyRef: key}
	case referenceToOutput:
		return &v1alpha1.InputValueSource{OutputRef: key}
	}
	return &v1alpha1.InputValueSource{SecretKeyRef: key}
}

// referenceKinds returns the kinds as options.
func referenceKinds(l *locale.Language, chosen string) []option {
	return optionsOf(chosen, referenceToSecret, "Secret", referenceToConfigMap, "ConfigMap", referenceToOutput, l.Text("inputReference.output"))
}

// outputProposals are the instances of a namespace that have outputs, and the names of the outputs.
type outputProposals struct{ Instances, Outputs []string }

// Outputs returns the proposals for references to outputs: the outputs of the first instances, if the user can list
// instances. Without proposals, the user enters the names.
func (f *inputForm) Outputs() outputProposals {
	var proposals outputProposals
	all := v1alpha1.AppInstanceList{}
	if f.namespace == "" || !namespaceForm.MatchString(f.namespace) {
		return proposals
	}
	err := f.request.List(f.request.Context(), &all, client.InNamespace(f.namespace), client.Limit(maxOutputInstances))
	if err != nil {
		logProposalError(f.request, err, "outputs")
		return proposals
	}
	for i := range all.Items {
		for _, output := range all.Items[i].Status.Outputs {
			proposals.Instances = append(proposals.Instances, all.Items[i].Name)
			proposals.Outputs = append(proposals.Outputs, output.Name)
		}
	}
	slices.Sort(proposals.Instances)
	slices.Sort(proposals.Outputs)
	proposals.Instances, proposals.Outputs = slices.Compact(proposals.Instances), slices.Compact(proposals.Outputs)
	return proposals
}

// StorageClasses returns the names of the StorageClasses that the user can list, if an input asks for one.
func (f *inputForm) StorageClasses() []string {
	if !slices.ContainsFunc(f.all(), func(field *inputField) bool { return field.Widget == "storageClass" }) {
		return nil
	}
	all := storagev1.StorageClassList{}
	if err := f.request.List(f.request.Context(), &all, client.Limit(maxStorageClasses)); err != nil {
		logProposalError(f.request, err, "storage classes")
		return nil
	}
	var names []string
	for i := range all.Items {
		names = append(names, all.Items[i].Name)
	}
	return names
}
