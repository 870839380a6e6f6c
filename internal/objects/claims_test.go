package objects_test

import (
	"testing"

	. "github.com/onsi/gomega"

	"github.com/appmarket/operator/internal/objects"
)

func TestListClaims(t *testing.T) {
	g := NewWithT(t)
	docs := documentsOf(`apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: photos, namespace: demo}
spec: {resources: {requests: {storage: 8Gi}}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: elsewhere, namespace: other}
spec: {resources: {requests: {storage: 8Gi}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 2
  ordinals: {start: 3}
  volumeClaimTemplates:
  - {metadata: {name: data}, spec: {resources: {requests: {storage: 1Gi}}}}
  - {metadata: {name: log}, spec: {resources: {requests: {storage: much}}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: none}
spec: {replicas: 0, volumeClaimTemplates: [{metadata: {name: data}}]}
`)
	want := []objects.Claim{
		{Name: "photos", Storage: "8Gi"}, {Name: "data-db-3", Storage: "1Gi"}, {Name: "data-db-4", Storage: "1Gi"}, {Name: "log-db-3"}, {Name: "log-db-4"},
	}
	g.Expect(objects.ListClaims(docs, "demo", 100)).To(Equal(want))
	g.Expect(objects.ListClaims(docs, "demo", 3)).To(Equal(want[:3]))
	huge := documentsOf("apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: db}\nspec: {replicas: 2000000000, volumeClaimTemplates: [{metadata: {name: data}}]}\n")
	g.Expect(objects.ListClaims(huge, "demo", 100)).To(HaveLen(100))
}
