package source

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/text"
)

// ArtifactGroup is the API group of the objects of Flux that have an artifact.
const ArtifactGroup = "source.toolkit.fluxcd.io"

// artifactConfig reads the object that a source of type Artifact specifies. The object, or its kind, may
// not exist yet.
func artifactConfig(ctx context.Context, objects client.Reader, kinds meta.RESTMapper, ms *v1alpha1.MarketSource) (*ArtifactConfig, error) {
	spec := ms.Spec.Artifact
	title := fmt.Sprintf("%s %q", spec.Kind, spec.Name)
	mapping, err := kinds.RESTMapping(schema.GroupKind{Group: ArtifactGroup, Kind: string(spec.Kind)})
	if meta.IsNoMatchError(err) {
		return nil, secretError("spec.artifact: the cluster does not serve the kind %s of %s: install the source controller of Flux", spec.Kind, ArtifactGroup)
	}
	if err != nil {
		return nil, fmt.Errorf("spec.artifact: discover %s: %w", spec.Kind, err)
	}
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(mapping.GroupVersionKind)
	err = objects.Get(ctx, types.NamespacedName{Namespace: ms.Namespace, Name: spec.Name}, object)
	switch {
	case apierrors.IsNotFound(err):
		return nil, secretError("spec.artifact: %s does not exist in namespace %q: create it", title, ms.Namespace)
	case apierrors.IsForbidden(err):
		return nil, secretError(
			"spec.artifact: the operator is not allowed to read %s in namespace %q: bind the ClusterRole appmarket-market-artifacts to its service account there",
			title, ms.Namespace)
	case err != nil:
		return nil, fmt.Errorf("spec.artifact: get %s: %w", title, err)
	}
	state := ReadArtifact(object)
	if problem := state.describeProblem(); problem != "" {
		return nil, outcome.Waiting(v1alpha1.ReasonWaitingForArtifact, 0, fmt.Errorf("spec.artifact: %s %s", title, problem))
	}
	return &ArtifactConfig{
		URL: state.URL, Digest: state.Digest, Revision: state.Revision, Path: spec.Path, Title: title,
		IsChart: spec.Kind == v1alpha1.ArtifactFromHelmChart,
	}, nil
}

// ArtifactState is the state of an object of Flux that matters for its artifact. Two states are equal if
// a source does not have to read the artifact again.
type ArtifactState struct {
	URL, Digest, Revision string
	// Ready is the status of the condition Ready, and Reason its reason.
	Ready, Reason string
	// IsCurrent reports whether the status is of the last generation.
	IsCurrent bool
}

// ReadArtifact reads the state of an object, in which any field can be missing.
func ReadArtifact(object *unstructured.Unstructured) ArtifactState {
	read := func(fields ...string) string {
		value, _, err := unstructured.NestedString(object.Object, fields...)
		if err != nil {
			return "" // The field has another type.
		}
		return value
	}
	state := ArtifactState{
		URL: read("status", "artifact", "url"), Digest: read("status", "artifact", "digest"), Revision: read("status", "artifact", "revision"),
	}
	observed, _, err := unstructured.NestedInt64(object.Object, "status", "observedGeneration")
	state.IsCurrent = err == nil && observed == object.GetGeneration()
	conditions, _, err := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, each := range conditions {
		if condition, ok := each.(map[string]any); ok && err == nil && condition["type"] == "Ready" {
			state.Ready, _ = condition["status"].(string)
			state.Reason, _ = condition["reason"].(string)
		}
	}
	return state
}

// describeProblem returns why an artifact cannot be used yet, "" if it can. An artifact that an earlier
// synchronization of Flux left is used as long as the spec is the same.
func (s ArtifactState) describeProblem() string {
	switch {
	case s.URL == "" && s.Ready == "False":
		return "has no artifact and is not ready (" + text.Truncate(s.Reason, 80) + "): see its conditions"
	case s.URL == "" || s.Digest == "":
		return "has no artifact yet"
	case !s.IsCurrent:
		return "has changed, and its artifact is not current yet"
	case s.Ready == "False" && strings.HasPrefix(s.Reason, "Verification"):
		return "is not verified (" + text.Truncate(s.Reason, 80) + "): see its conditions"
	}
	return ""
}
