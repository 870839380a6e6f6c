package collector

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"

	"github.com/appmarket/operator/api/v1alpha1"
	"github.com/appmarket/operator/internal/impersonation"
	"github.com/appmarket/operator/internal/outcome"
	"github.com/appmarket/operator/internal/preflight"
	"github.com/appmarket/operator/internal/release"
)

// attemptTimeout bounds the dry runs for one app. Objects whose webhooks do not respond in time
// are not checked.
const attemptTimeout = 15 * time.Second

// Labels and annotations by which Helm recognizes the objects of a release.
const (
	managedByLabel             = "app.kubernetes.io/managed-by"
	releaseNameAnnotation      = "meta.helm.sh/release-name"
	releaseNamespaceAnnotation = "meta.helm.sh/release-namespace"
)

// tryObjects creates objects as the tenant with a dry run. Only errors about the objects
// themselves are returned as answers.
func (c *Collector) tryObjects(
	ctx context.Context, tenant release.Tenant, attempts []preflight.Attempt, kinds map[schema.GroupVersionKind]preflight.Kind,
) ([]preflight.Answer, error) {
	if len(attempts) == 0 {
		return nil, nil
	}
	as, err := dynamic.NewForConfig(impersonation.Config(c.config, tenant))
	if err != nil {
		return nil, fmt.Errorf("create client: %w", err)
	}
	answers := make([]preflight.Answer, len(attempts))
	trying, cancel := context.WithTimeout(ctx, attemptTimeout)
	defer cancel()
	var group errgroup.Group
	group.SetLimit(maxConcurrentRequests)
	for i, attempt := range attempts {
		group.Go(outcome.Guarded(func() error {
			var objects dynamic.ResourceInterface = as.Resource(attempt.Kind.GroupVersion().WithResource(kinds[attempt.Kind].Resource))
			if attempt.Namespace != "" {
				objects = as.Resource(attempt.Kind.GroupVersion().WithResource(kinds[attempt.Kind].Resource)).Namespace(attempt.Namespace)
			}
			answers[i] = tryObject(trying, objects, attempt)
			return nil
		}))
	}
	if err := group.Wait(); err != nil {
		return nil, fmt.Errorf("create objects with a dry run: %w", err)
	}
	return answers, ctx.Err()
}

func tryObject(ctx context.Context, objects dynamic.ResourceInterface, attempt preflight.Attempt) (answer preflight.Answer) {
	wanted := &unstructured.Unstructured{}
	if err := wanted.UnmarshalJSON(attempt.Text); err != nil {
		return answer
	}
	wanted.SetNamespace(attempt.Namespace)
	_, err := objects.Create(ctx, wanted, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	switch {
	case err == nil:
		return answer
	case apierrors.IsAlreadyExists(err), apierrors.IsNotFound(err):
		return existingOwner(ctx, objects, attempt.Name)
	}
	answer.Refusal = rejectionMessage(err)
	return answer
}

// existingOwner returns whether an object exists, and its release.
func existingOwner(ctx context.Context, objects dynamic.ResourceInterface, name string) (answer preflight.Answer) {
	found, err := objects.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return answer
	}
	answer.Exists = true
	if found.GetLabels()[managedByLabel] == "Helm" {
		answer.Release = found.GetAnnotations()[releaseNameAnnotation]
		answer.Namespace = found.GetAnnotations()[releaseNamespaceAnnotation]
	}
	return answer
}

// rejectionMessage returns why the API server rejects an object, empty if the error has another
// cause. Permissions, quotas and Pod Security are checked separately.
func rejectionMessage(err error) string {
	status, ok := err.(apierrors.APIStatus)
	if !ok {
		return ""
	}
	about := status.Status()
	if _, denial, isDenied := strings.Cut(about.Message, "admission webhook "); isDenied && strings.Contains(denial, "denied the request") {
		return preflight.RefusalMessage([]string{"admission webhook " + denial})
	}
	if !apierrors.IsInvalid(err) {
		return ""
	}
	var faults []string
	if about.Details != nil {
		for _, cause := range about.Details.Causes {
			if cause.Field == "" {
				faults = append(faults, cause.Message)
				continue
			}
			faults = append(faults, cause.Field+": "+cause.Message)
		}
	}
	if len(faults) == 0 {
		faults = []string{about.Message}
	}
	return preflight.RefusalMessage(faults)
}

// newestRecords returns the newest record of each release, read as the tenant. It returns nil if
// the tenant may not read records.
func (c *Collector) newestRecords(ctx context.Context, of release.Tenant, names []string) (map[string]preflight.Record, error) {
	known := map[string]preflight.Record{}
	if len(names) == 0 {
		return known, nil
	}
	as, err := metadata.NewForConfig(impersonation.Config(c.config, of))
	if err != nil {
		return nil, fmt.Errorf("create client: %w", err)
	}
	for _, name := range names {
		list, err := as.Resource(corev1.SchemeGroupVersion.WithResource("secrets")).Namespace(of.Namespace).List(ctx, metav1.ListOptions{
			LabelSelector: labels.Set{"owner": "helm", "name": name}.String(),
		})
		if apierrors.IsForbidden(err) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("list the records of release %q: %w", name, err)
		}
		newest := -1
		for _, one := range list.Items {
			if number, _ := strconv.Atoi(one.Labels["version"]); number > newest {
				newest = number
				known[name] = preflight.Record{Status: one.Labels["status"], Instance: one.Labels[v1alpha1.InstanceLabel]}
			}
		}
	}
	return known, nil
}
