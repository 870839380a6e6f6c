package collector

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

const (
	// autoscalerNamespace and autoscalerStatusName identify the ConfigMap in which the Cluster
	// Autoscaler reports its status by default.
	autoscalerNamespace  = "kube-system"
	autoscalerStatusName = "cluster-autoscaler-status"
	autoscalerStatusKey  = "status"
	// lastUpdatedAnnotation contains the time of the report in the format lastUpdatedFormat.
	lastUpdatedAnnotation = "cluster-autoscaler.kubernetes.io/last-updated"
	lastUpdatedFormat     = "2006-01-02 15:04:05.999999999 -0700 MST"
	// maxStatusAge is the age from which a report is ignored. A running autoscaler reports
	// about every 10 seconds, but the ConfigMap remains when it is removed.
	maxStatusAge = 15 * time.Minute
)

// canAutoscalerAddNodes reports whether the Cluster Autoscaler runs and can add a node to a node
// group. If the operator may not get the status, it reports false.
func (c *Collector) canAutoscalerAddNodes(ctx context.Context) (bool, error) {
	status, err := c.operator.CoreV1().ConfigMaps(autoscalerNamespace).Get(ctx, autoscalerStatusName, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err), apierrors.IsForbidden(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("get the status of the Cluster Autoscaler: %w", err)
	}
	return isStatusCurrent(status, time.Now()) && canGroupGrow(status.Data[autoscalerStatusKey]), nil
}

// isStatusCurrent reports whether the status was updated recently. A status without a time counts
// as current.
func isStatusCurrent(status *corev1.ConfigMap, now time.Time) bool {
	updated, err := time.Parse(lastUpdatedFormat, status.Annotations[lastUpdatedAnnotation])
	return err != nil || now.Sub(updated) < maxStatusAge
}

// canGroupGrow reports whether a status describes a healthy autoscaler with a node group below its
// maximum size. Before version 1.30, the status is a text.
func canGroupGrow(status string) bool {
	if strings.HasPrefix(status, legacyStatusPrefix) {
		return canLegacyGroupGrow(status)
	}
	var report autoscalerStatus
	if err := yaml.Unmarshal([]byte(status), &report); err != nil || report.AutoscalerStatus != "Running" || report.ClusterWide.Health.Status != healthy {
		return false
	}
	return slices.ContainsFunc(report.NodeGroups, autoscalerGroup.canGrow)
}

// States in the status.
const (
	healthy = "Healthy"
	backoff = "Backoff"
)

// autoscalerStatus contains the fields of the status that the check uses.
type autoscalerStatus struct {
	AutoscalerStatus string `json:"autoscalerStatus"`
	ClusterWide      struct {
		Health autoscalerCondition `json:"health"`
	} `json:"clusterWide"`
	NodeGroups []autoscalerGroup `json:"nodeGroups"`
}

type autoscalerGroup struct {
	Health struct {
		autoscalerCondition

		CloudProviderTarget int `json:"cloudProviderTarget"`
		MaxSize             int `json:"maxSize"`
	} `json:"health"`
	ScaleUp autoscalerCondition `json:"scaleUp"`
}

type autoscalerCondition struct {
	Status string `json:"status"`
}

// canGrow reports whether the autoscaler adds nodes to the group. It adds none for some time after
// it failed to.
func (g autoscalerGroup) canGrow() bool {
	return g.Health.Status == healthy && g.ScaleUp.Status != backoff && g.Health.CloudProviderTarget < g.Health.MaxSize
}

// legacyStatusPrefix is the beginning of a status before version 1.30.
const legacyStatusPrefix = "Cluster-autoscaler status at "

var (
	// legacyClusterHealth matches the health of a healthy cluster.
	legacyClusterHealth = regexp.MustCompile(`(?m)^Cluster-wide:\n\s+Health:\s+Healthy\b`)
	// legacyGroupName matches the beginning of a node group.
	legacyGroupName = regexp.MustCompile(`(?m)^\s+Name:`)
	// legacyGroupHealth matches the health, the size and the maximum size of a node group, and
	// legacyScaleUp the state of its scale-up.
	legacyGroupHealth = regexp.MustCompile(`Health:\s+(\w+) .*cloudProviderTarget=(\d+) \(minSize=\d+, maxSize=(\d+)\)`)
	legacyScaleUp     = regexp.MustCompile(`ScaleUp:\s+(\w+)`)
)

func canLegacyGroupGrow(status string) bool {
	if !legacyClusterHealth.MatchString(status) {
		return false
	}
	return slices.ContainsFunc(legacyGroupName.Split(status, -1)[1:], func(text string) bool {
		health, scaleUp := legacyGroupHealth.FindStringSubmatch(text), legacyScaleUp.FindStringSubmatch(text)
		if health == nil || scaleUp == nil {
			return false
		}
		var group autoscalerGroup
		group.Health.Status, group.ScaleUp.Status = health[1], scaleUp[1]
		// The numbers are digits. A number that is too large becomes the largest integer.
		group.Health.CloudProviderTarget, _ = strconv.Atoi(health[2])
		group.Health.MaxSize, _ = strconv.Atoi(health[3])
		return group.canGrow()
	})
}
