package hydrate

import (
	"slices"

	"github.com/appmarket/operator/internal/objects"
	"github.com/appmarket/operator/internal/text"
)

// maxDescribedBytes is the maximum length of a sentence about an object in bytes.
const maxDescribedBytes = 512

// describeObjects describes the objects of all units. It returns nil if they are unknown. Platform values,
// which may be secret, are masked in sentences. A class or a resource whose name contains one is omitted.
func describeObjects(d *Draft) (*objects.Description, error) {
	if d.isLibrary() || d.UnrenderedReason() != "" {
		return nil, nil
	}
	found, err := objects.DescribeObjects(d.AllDocuments(), RenderNamespace)
	if err != nil {
		return nil, err
	}
	if len(d.Request.Platform) == 0 {
		return &found, nil
	}
	m := newMasker(d.Request.Platform)
	isPublic := func(name string) bool {
		_, isMasked := m.maskScalar(name)
		return !isMasked
	}
	for _, sentences := range [][]string{found.Access.Rules, found.Access.CRDs, found.Access.ClusterObjects,
		found.Access.Privileged, found.Access.HostPaths, found.Access.HostNetworks} {
		for i := range sentences {
			sentences[i] = text.Printable(m.maskParts(sentences[i]), maxDescribedBytes)
		}
	}
	needs := &found.Requirements
	for _, names := range []*[]string{&needs.StorageClasses, &needs.IngressClasses} {
		*names = slices.DeleteFunc(*names, func(name string) bool { return !isPublic(name) })
	}
	needs.PodRequests = slices.DeleteFunc(needs.PodRequests, func(r objects.ResourceRequest) bool { return !isPublic(r.Name) })
	return &found, nil
}
