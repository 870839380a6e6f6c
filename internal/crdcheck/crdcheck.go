// Package crdcheck compares the CustomResourceDefinitions of a cluster with the ones that
// this program was built with.
//
// Helm does not upgrade the CRDs of a chart. An API server with older CRDs drops unknown
// fields without an error, so that parts of specs and statuses are lost. The comparison reads
// the OpenAPI documents, which every account may read.
package crdcheck

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/openapi"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/text"
)

// remedyMessage describes how to install or update the CRDs.
const remedyMessage = "apply crds.yaml of this version, or config/crd, with kubectl apply --server-side"

// outdatedCRDsError is the error of a cluster whose CRDs are missing or older. Wait retries
// after it.
type outdatedCRDsError struct{ missing string }

func (e *outdatedCRDsError) Error() string { return e.missing + "; " + remedyMessage }

// schema is the part of a JSON schema that is compared.
type schema struct {
	Properties           map[string]*schema   `json:"properties"`
	Items                *schema              `json:"items"`
	AdditionalProperties additionalProperties `json:"additionalProperties"`
	Enum                 []any                `json:"enum"`
}

// additionalProperties is the schema of the values of a map, empty for a boolean.
type additionalProperties struct{ *schema }

// UnmarshalJSON decodes a schema or a boolean.
func (a *additionalProperties) UnmarshalJSON(text []byte) error {
	var allowed bool
	if json.Unmarshal(text, &allowed) == nil {
		return nil
	}
	return json.Unmarshal(text, &a.schema)
}

// Wait waits until a cluster has the CRDs, which may be applied at the same time as the
// operator. After the timeout it returns an error that lists what is missing.
func Wait(ctx context.Context, cluster openapi.Client, timeout time.Duration) error {
	want, err := builtSchemas()
	if err != nil {
		return err
	}
	var missing error
	err = wait.PollUntilContextTimeout(ctx, time.Second, timeout, true, func(context.Context) (bool, error) {
		err := compareSchemas(want, cluster)
		if _, ok := errors.AsType[*outdatedCRDsError](err); ok {
			missing = err
			return false, nil
		}
		return true, err
	})
	if wait.Interrupted(err) && missing != nil && ctx.Err() == nil {
		return missing
	}
	return err
}

// compareSchemas returns an outdatedCRDsError if the schemas of the cluster lack fields or
// values.
func compareSchemas(want map[string]*schema, cluster openapi.Client) error {
	have, err := installedSchemas(cluster)
	if err != nil {
		return err
	}
	var missing []string
	for _, kind := range slices.Sorted(maps.Keys(want)) {
		if have[kind] == nil {
			missing = append(missing, kind)
			continue
		}
		missing = append(missing, missingFields(want[kind], have[kind], kind+": ", "")...)
	}
	if len(missing) == 0 {
		return nil
	}
	const shown = 5
	return &outdatedCRDsError{"the CustomResourceDefinitions of the cluster are older than the operator and lack " + text.List(missing, ", ", shown)}
}

// installedSchemas returns the schemas of the AppMarket kinds in a cluster, by kind.
func installedSchemas(cluster openapi.Client) (map[string]*schema, error) {
	paths, err := cluster.Paths()
	if err != nil {
		return nil, fmt.Errorf("list the OpenAPI documents of the cluster: %w", err)
	}
	group := paths["apis/"+v1alpha1.GroupVersion.String()]
	if group == nil {
		return nil, &outdatedCRDsError{"the CustomResourceDefinitions of AppMarket are not installed"}
	}
	document, err := group.Schema(runtime.ContentTypeJSON)
	if err != nil {
		return nil, fmt.Errorf("get the OpenAPI document of %s: %w", v1alpha1.GroupVersion, err)
	}
	var read struct {
		Components struct {
			Schemas map[string]struct {
				schema
				Kinds []struct{ Group, Kind string } `json:"x-kubernetes-group-version-kind"`
			} `json:"schemas"`
		} `json:"components"`
	}
	if err := json.Unmarshal(document, &read); err != nil {
		return nil, fmt.Errorf("read the OpenAPI document of %s: %w", v1alpha1.GroupVersion, err)
	}
	found := map[string]*schema{}
	for _, s := range read.Components.Schemas {
		for _, kind := range s.Kinds {
			if kind.Group == v1alpha1.GroupVersion.Group {
				found[kind.Kind] = &s.schema
			}
		}
	}
	return found, nil
}
