// Package images finds the container images of rendered objects.
//
// Find searches objects of every kind for pod specs, custom resources included, and adds
// the images that the app manifest and an annotation in Chart.yaml list. References are
// returned in their full form, such as "docker.io/library/nginx:latest".
package images
