// Package scale stops, resumes and restarts the workloads of a release.
//
// Stop changes one field of each workload, such as spec.replicas, and stores the previous value in an
// annotation, from which Resume restores it. Autoscalers tells which fields of an object are set by an
// autoscaler or by Stop, and are therefore not compared with the manifest.
package scale
