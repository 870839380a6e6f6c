#!/bin/bash
# verify.sh: what is generated, formatted and tidied is as it would be made now. What is not is made so, and named.
# The versions of the chart and the changelog agree.
set -euo pipefail
cd "$(dirname "$0")/.."

# state: a line for each file that is or would be in git, with its digest.
state() {
  git ls-files --cached --others --exclude-standard -z | while IFS= read -r -d '' file; do
    [ ! -f "$file" ] || sha256sum "$file"
  done
}

before=$(state)
make --no-print-directory generate manifests docs fmt tidy
after=$(state)
if [ "$before" != "$after" ]; then
  echo "not current; made so now, look at it and commit it:" >&2
  diff <(echo "$before") <(echo "$after") | awk '/^[<>]/ {print "  " $3}' | sort -u >&2
  exit 1
fi
go run ./hack/release check
