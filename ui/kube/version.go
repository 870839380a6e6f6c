package kube

import (
	"fmt"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

// versionTimeout bounds the request for the version of the cluster.
const versionTimeout = 3 * time.Second

// FetchClusterVersion returns the version of Kubernetes, with the credential of the user.
func (p *User) FetchClusterVersion() (string, error) {
	limited := rest.CopyConfig(p.config)
	limited.Timeout = versionTimeout
	found, err := discovery.NewDiscoveryClientForConfig(limited)
	if err != nil {
		return "", fmt.Errorf("create client: %w", err)
	}
	version, err := found.ServerVersion()
	if err != nil {
		return "", fmt.Errorf("get version: %w", err)
	}
	return version.GitVersion, nil
}
