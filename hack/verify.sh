#!/bin/bash
# verify.sh: what is generated, formatted and tidied is as it would be made now. What is not is made so, and named.
# The versions of the chart and the changelog agree, and so do the modules of the operator and of the programs that are
# built with it.
set -euo pipefail
cd "$(dirname "$0")/.."

# state: a line for each file that is or would be in git, with its digest.
state() {
  git ls-files --cached --others --exclude-standard -z | while IFS= read -r -d '' file; do
    [ ! -f "$file" ] || sha256sum "$file"
  done
}

# requirements FOLDER: prints the modules that the go.mod of a folder requires, with their versions.
requirements() {
  awk '/^\)/ {block = 0} block {print $1, $2} /^require \(/ {block = 1}' "$1/go.mod" | sort
}

# A package of another version, and each package that imports it, would be compiled twice.
different=$(for folder in hack/localcluster hack/tools/helm3 hack/tools/helm4; do
  join <(requirements .) <(requirements "$folder") | awk -v folder="$folder" '$2 != $3 {print "  " folder ": " $1 " " $3 ", not " $2}'
done)
if [ -n "$different" ]; then
  echo "modules that have another version in the go.mod of the operator:" >&2
  echo "$different" >&2
  exit 1
fi

before=$(state)
make --no-print-directory generate manifests docs fmt tidy
after=$(state)
if [ "$before" != "$after" ]; then
  echo "not current; made so now, look at it and commit it:" >&2
  diff <(echo "$before") <(echo "$after") | awk '/^[<>]/ {print "  " $3}' | sort -u >&2
  exit 1
fi
go run ./hack/release check
