package diagnostics

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/appmarket/operator/api/v1alpha1"
)

// resources are the resources of AppMarket.
var resources = []string{"marketsources", "appinfos", "appinstances", "appinstalltasks"}

// operatorLabels select the Pods of the operator and of the web pages, and probesPort is the name of the port with
// the readiness check.
const operatorLabels, probesPort = "app.kubernetes.io/name in (appmarket,appmarket-ui)", "probes"

func (w *writer) addVersions(ctx context.Context) error {
	versions := map[string]any{"plugin": w.options.Version}
	server, err := w.clients.Discovery().ServerVersion()
	if err != nil {
		if err := w.addProblem(ctx, "version of the API server", err); err != nil {
			return err
		}
	} else {
		versions["kubernetes"] = server.GitVersion
	}
	return w.addYAML("versions.yaml", versions)
}

// addDefinitions adds the versions and conditions of the CustomResourceDefinitions, without their schemas.
func (w *writer) addDefinitions(ctx context.Context) error {
	found := map[string]any{}
	for _, resource := range resources {
		name := resource + "." + v1alpha1.GroupVersion.Group
		content, err := w.get(ctx, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/"+name, nil)
		var definition map[string]any
		if err == nil {
			err = json.Unmarshal(content, &definition)
		}
		if err != nil {
			if err := w.addProblem(ctx, "CustomResourceDefinition "+name, err); err != nil {
				return err
			}
			continue
		}
		// A definition without status is shown as such.
		status, _, _ := unstructured.NestedMap(definition, "status")
		annotations, _, _ := unstructured.NestedStringMap(definition, "metadata", "annotations")
		found[name] = map[string]any{"annotations": annotations, "status": status}
	}
	return w.addYAML("customresourcedefinitions.yaml", found)
}

// addKinds adds the objects of AppMarket.
func (w *writer) addKinds(ctx context.Context) error {
	prefix := "/apis/" + v1alpha1.GroupVersion.String()
	for _, resource := range resources {
		if err := w.addList(ctx, resource+".yaml", prefix, resource, nil); err != nil {
			return err
		}
	}
	return nil
}

// addEvents adds the events of the objects of AppMarket.
func (w *writer) addEvents(ctx context.Context) error {
	return w.addList(ctx, "events.yaml", "/api/v1", "events", url.Values{"fieldSelector": {"involvedObject.apiVersion=" + v1alpha1.GroupVersion.String()}})
}

// addList adds the objects of a resource, of all namespaces if the user may list them.
func (w *writer) addList(ctx context.Context, name, prefix, resource string, query url.Values) error {
	list, err := w.getList(ctx, prefix+"/"+resource, query)
	if apierrors.IsForbidden(err) {
		if err := w.addProblem(ctx, resource+" of all namespaces", err); err != nil {
			return err
		}
		list, err = w.getList(ctx, prefix+"/namespaces/"+w.options.Namespace+"/"+resource, query)
	}
	if err != nil {
		return w.addProblem(ctx, resource, err)
	}
	return w.addYAML(name, list)
}

// addOperator adds the Pods of the operator, their logs, and whether the operator is ready.
func (w *writer) addOperator(ctx context.Context) error {
	location := "/api/v1/pods"
	if w.options.OperatorNamespace != "" {
		location = "/api/v1/namespaces/" + w.options.OperatorNamespace + "/pods"
	}
	list, err := w.getList(ctx, location, url.Values{"labelSelector": {operatorLabels}})
	if err != nil {
		return w.addProblem(ctx, "pods of the operator", err)
	}
	if len(list.Items) == 0 {
		return w.addProblem(ctx, "pods of the operator", fmt.Errorf("no pod with the labels %s found", operatorLabels))
	}
	if err := w.addYAML("pods.yaml", list); err != nil {
		return err
	}
	for i := range list.Items {
		if err := w.addPod(ctx, &list.Items[i]); err != nil {
			return err
		}
	}
	return nil
}

// addPod adds the logs of a Pod and the answer of its readiness check.
func (w *writer) addPod(ctx context.Context, object *unstructured.Unstructured) error {
	var pod corev1.Pod
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &pod); err != nil {
		return w.addProblem(ctx, "pod "+object.GetName(), err)
	}
	for _, container := range pod.Spec.Containers {
		for _, previous := range []bool{false, true} {
			if err := w.addLog(ctx, &pod, container.Name, previous); err != nil {
				return err
			}
		}
		for _, port := range container.Ports {
			if port.Name != probesPort {
				continue
			}
			location := fmt.Sprintf("/api/v1/namespaces/%s/pods/%s:%d/proxy/readyz", pod.Namespace, pod.Name, port.ContainerPort)
			answer, err := w.get(ctx, location, url.Values{"verbose": {"true"}})
			if err != nil {
				return w.addProblem(ctx, "readiness of pod "+pod.Name, err)
			}
			if err := w.add("readyz/"+pod.Name+".txt", answer); err != nil {
				return err
			}
		}
	}
	return nil
}

// addLog adds the log of a container. A container that was not restarted has no previous log.
func (w *writer) addLog(ctx context.Context, pod *corev1.Pod, container string, previous bool) error {
	lines, size := int64(maxLogLines), int64(maxLogBytes)
	name := pod.Name + "-" + container
	if previous {
		name += "-previous"
	}
	stream, err := w.clients.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
		Container: container, Previous: previous, Timestamps: true, TailLines: &lines, LimitBytes: &size,
	}).Stream(ctx)
	if err != nil {
		if previous && apierrors.IsBadRequest(err) {
			return ctx.Err()
		}
		return w.addProblem(ctx, "log "+name, err)
	}
	defer stream.Close()
	log, err := io.ReadAll(io.LimitReader(stream, maxLogBytes))
	if err != nil {
		return w.addProblem(ctx, "log "+name, err)
	}
	return w.add("logs/"+name+".log", log)
}
