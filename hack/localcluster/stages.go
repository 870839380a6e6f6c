package main

import (
	_ "embed"
	"fmt"
	"strings"

	nodefast "sigs.k8s.io/kwok/kustomize/stage/node/fast"
	nodeheartbeat "sigs.k8s.io/kwok/kustomize/stage/node/heartbeat-with-lease"
	podfast "sigs.k8s.io/kwok/kustomize/stage/pod/fast"
	"sigs.k8s.io/yaml"
)

//go:embed stages.yaml
var ownStages string

// notWaiting keeps kwok's stage that makes pods ready from those that are to be seen waiting.
const notWaiting = `!has(self.metadata.annotations) || !('localcluster/waiting' in self.metadata.annotations)`

// stages is the configuration of the simulated nodes: kwok's usual ones for nodes and pods, and ours.
func stages() (string, error) {
	ready, err := onlyWhen(podfast.DefaultPodReady, notWaiting)
	if err != nil {
		return "", err
	}
	return strings.Join([]string{
		nodefast.DefaultNodeInit,
		nodeheartbeat.DefaultNodeHeartbeatWithLease,
		ready,
		podfast.DefaultPodComplete,
		podfast.DefaultPodDelete,
		ownStages,
	}, "\n---\n"), nil
}

// onlyWhen adds a CEL expression to what a stage selects.
func onlyWhen(stage, expression string) (string, error) {
	var parsed struct {
		APIVersion string         `json:"apiVersion"`
		Kind       string         `json:"kind"`
		Metadata   map[string]any `json:"metadata"`
		Spec       map[string]any `json:"spec"`
	}
	if err := yaml.UnmarshalStrict([]byte(stage), &parsed); err != nil {
		return "", fmt.Errorf("read stage: %w", err)
	}
	selector, _ := parsed.Spec["selector"].(map[string]any)
	if selector == nil {
		selector = map[string]any{}
		parsed.Spec["selector"] = selector
	}
	expressions, _ := selector["matchExpressions"].([]any)
	selector["matchExpressions"] = append(expressions, map[string]any{"cel": map[string]any{"expression": expression}})
	out, err := yaml.Marshal(parsed)
	if err != nil {
		return "", fmt.Errorf("write stage: %w", err)
	}
	return string(out), nil
}
