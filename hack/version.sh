#!/bin/bash
# version.sh: prints the version of the checkout: the tag of the commit without its v, or otherwise the appVersion of the
# chart, which is the version that comes next, as a pre-release with the commit.
set -euo pipefail
cd "$(dirname "$0")/.."

next=$(sed -n 's/^appVersion: //p' charts/appmarket/Chart.yaml | tr -d '"')
if tag=$(git describe --tags --exact-match --match 'v[0-9]*' --dirty 2>/dev/null); then
  echo "${tag#v}"
elif commit=$(git describe --always --abbrev=12 --exclude='*' --dirty 2>/dev/null); then
  echo "$next-g$commit"
else
  echo "$next"
fi
