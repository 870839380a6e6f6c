package turns

import "github.com/prometheus/client_golang/prometheus"

var (
	runningNow = prometheus.NewDesc("appmarket_operations_running", "How many instances Helm works on.", nil, nil)
	waitingNow = prometheus.NewDesc("appmarket_operations_waiting", "How many instances wait for their turn with Helm.", nil, nil)
)

// Describe tells of the gauges, for a registry of metrics.
func (*Turns) Describe(to chan<- *prometheus.Desc) {
	to <- runningNow
	to <- waitingNow
}

// Collect reads the gauges. There is no label for the namespace: their number is
// not bounded.
func (t *Turns) Collect(to chan<- prometheus.Metric) {
	to <- prometheus.MustNewConstMetric(runningNow, prometheus.GaugeValue, float64(t.Running()))
	to <- prometheus.MustNewConstMetric(waitingNow, prometheus.GaugeValue, float64(t.Waiting()))
}
