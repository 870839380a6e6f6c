package drift

import (
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/appmarket/operator/internal/helm/cluster"
	"github.com/appmarket/operator/internal/helm/scale"
)

// secretKind is the kind whose field stringData can be written but not read.
var secretKind = corev1.SchemeGroupVersion.WithKind("Secret")

// desiredObject is an object that is compared with its release.
type desiredObject struct {
	cluster.ManifestObject
	comparison *Comparison
	scalers    *scale.Autoscalers
	// older contains the data of a Secret in other revisions.
	older []map[string]any
}

// desiredObjects returns the objects of the revision, with the data of Secrets in other revisions.
func (c *Comparison) desiredObjects() ([]desiredObject, error) {
	decoded, err := c.Client.DecodeManifest(c.Revision)
	if err != nil {
		return nil, err
	}
	scalers := &scale.Autoscalers{Client: c.Client}
	all := make([]desiredObject, 0, len(decoded))
	for _, one := range decoded {
		all = append(all, desiredObject{ManifestObject: one, comparison: c, scalers: scalers})
	}
	return all, c.findOlderSecrets(all)
}

// findOlderSecrets adds the data from other revisions to the Secrets among the objects.
func (c *Comparison) findOlderSecrets(objects []desiredObject) error {
	secrets := map[cluster.Identity]*desiredObject{}
	for i := range objects {
		if one := &objects[i]; one.Object.GroupVersionKind() == secretKind {
			secrets[cluster.IdentityOf(one.Ref)] = one
		}
	}
	for _, revision := range c.History {
		if len(secrets) == 0 || !strings.Contains(revision.Manifest, secretKind.Kind) {
			continue
		}
		older, err := c.Client.DecodeManifest(revision)
		if err != nil {
			return err
		}
		for _, one := range older {
			secret := secrets[cluster.IdentityOf(one.Ref)]
			if secret == nil {
				continue
			}
			if data, ok := storedForm(one.Object.Object)["data"].(map[string]any); ok {
				secret.older = append(secret.older, data)
			}
		}
	}
	return nil
}

// olderData returns the data that another revision gave to a live Secret and that wanted does not
// contain, as an earlier manifest. Helm does not delete a key from a Secret when a chart removes it
// from stringData. A key whose value has changed since belongs to another client.
func (i desiredObject) olderData(wanted, live *unstructured.Unstructured) []map[string]any {
	now, _ := live.Object["data"].(map[string]any)
	left := map[string]any{}
	for _, data := range i.older {
		for key, value := range data {
			if given, ok := now[key]; ok && reflect.DeepEqual(given, value) {
				left[key] = value
			}
		}
	}
	if len(left) == 0 {
		return nil
	}
	if wanted.Object["data"] == nil { // keep keys of other clients
		wanted.Object["data"] = map[string]any{}
	}
	return []map[string]any{{"data": left}}
}
