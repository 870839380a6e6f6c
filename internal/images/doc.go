// Package images finds the container images that rendered objects run.
//
// Find looks for pod specs in every kind of object, custom resources included, and adds the
// images that a manifest or an annotation of Chart.yaml declares. References are returned
// in their full form, such as "docker.io/library/nginx:latest".
package images
