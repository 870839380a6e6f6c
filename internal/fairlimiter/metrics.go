package fairlimiter

import "github.com/prometheus/client_golang/prometheus"

var (
	runningDesc = prometheus.NewDesc("appmarket_operations_running", "How many instances have an operation under way, those included that wait for a hook.", nil, nil)
	waitingDesc = prometheus.NewDesc("appmarket_operations_waiting", "How many instances wait for their turn with Helm.", nil, nil)
)

// Gauges collects the metrics of several Turns, added up.
type Gauges []*Limiter

// Describe sends the gauges, for a registry of metrics.
func (Gauges) Describe(to chan<- *prometheus.Desc) {
	to <- runningDesc
	to <- waitingDesc
}

// Collect reads the gauges. There is no label for the namespace: their number is
// not bounded.
func (g Gauges) Collect(to chan<- prometheus.Metric) {
	var running, waiting int
	for _, l := range g {
		running, waiting = running+l.Running(), waiting+l.Waiting()
	}
	to <- prometheus.MustNewConstMetric(runningDesc, prometheus.GaugeValue, float64(running))
	to <- prometheus.MustNewConstMetric(waitingDesc, prometheus.GaugeValue, float64(waiting))
}
