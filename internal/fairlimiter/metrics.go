package fairlimiter

import "github.com/prometheus/client_golang/prometheus"

var (
	runningDesc = prometheus.NewDesc("appmarket_operations_running", "Number of instances with an operation in progress, including operations that wait for a hook.", nil, nil)
	waitingDesc = prometheus.NewDesc("appmarket_operations_waiting", "Number of instances that wait for a free operation slot.", nil, nil)
)

// Gauges collects the metrics of several Limiters, added up.
type Gauges []*Limiter

// Describe implements prometheus.Collector.
func (Gauges) Describe(to chan<- *prometheus.Desc) {
	to <- runningDesc
	to <- waitingDesc
}

// Collect implements prometheus.Collector. The metrics have no label for the namespace, because
// the number of namespaces is not bounded.
func (g Gauges) Collect(to chan<- prometheus.Metric) {
	var running, waiting int
	for _, l := range g {
		running, waiting = running+l.Running(), waiting+l.Waiting()
	}
	to <- prometheus.MustNewConstMetric(runningDesc, prometheus.GaugeValue, float64(running))
	to <- prometheus.MustNewConstMetric(waitingDesc, prometheus.GaugeValue, float64(waiting))
}
