#!/bin/bash
# Runs the end-to-end test: the operator as it is shipped, on a node that runs containers. Needs root and Linux.
# It installs the Debian packages that are missing. The cluster is in .local/e2e and is removed at the end, also that of
# a run that was killed. Logs are kept in .local/reports/e2e.
#
#   IMAGE_LAYOUT=DIR  takes this OCI image layout instead of building one
#   FOCUS=WORDS       runs only the steps whose names have these words
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$PWD/.local/bin

if [ "$(id -u)" != 0 ]; then
  echo "make e2e needs root: it starts containers, and a network namespace for them" >&2
  exit 1
fi

# A file of each package that a node needs.
declare -A packages=(
  [containerd]=/usr/bin/containerd [runc]=/usr/sbin/runc [containernetworking-plugins]=/usr/lib/cni/ptp
  [iptables]=/usr/sbin/iptables [iproute2]=/sbin/ip [busybox-static]=/bin/busybox
)
missing=()
for package in "${!packages[@]}"; do
  [ -e "${packages[$package]}" ] || missing+=("$package")
done
if ((${#missing[@]})); then
  echo "installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
fi

if [ -z "${IMAGE_LAYOUT:-}" ]; then
  make --no-print-directory image PLATFORMS="linux/$(go env GOARCH)"
  IMAGE_LAYOUT=dist/image
fi
make --no-print-directory samples PLATFORMS="linux/$(go env GOARCH)"
rm -f dist/appmarket-*.tgz
go run ./hack/release manifests --layout "$IMAGE_LAYOUT"
export IMAGE_LAYOUT=$(realpath "$IMAGE_LAYOUT") DIST=$PWD/dist

export E2E_DIR=$PWD/.local/e2e REPORTS=$PWD/.local/reports/e2e
export KUBEBUILDER_ASSETS=$PWD/.local/node HELM3=$bin/helm3
"$bin/localcluster-node" assets "$KUBEBUILDER_ASSETS"
trap '"$bin/localcluster-node" down --dir "$E2E_DIR" >/dev/null' EXIT
"$bin/localcluster-node" down --dir "$E2E_DIR" >/dev/null
# Without a package as argument go test shows the steps as they end.
go -C test/e2e test -tags e2e -vet=off -count=1 -timeout 20m -ginkgo.succinct -ginkgo.no-color ${FOCUS:+-ginkgo.focus "$FOCUS"}
