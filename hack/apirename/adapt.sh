#!/bin/bash
# adapt.sh WORKTREE: apply the API renames to a helper's branch
set -u
cd $1
ALLTAGS=1 nice -n -15 refactor . < <(grep -v Reason hack/apirename/api-renames.txt) 2>&1 | tail -5
ALLTAGS=1 nice -n -15 refactor . < <(grep ^wrap hack/apirename/wrap.txt) 2>&1 | grep -v "^/" | tail -5
git checkout -q api/v1alpha1/zz_generated.deepcopy.go
hack/apirename/api-code.sh
hack/apirename/api-reasons.sh
perl -pi -e 's/\bCancelled\b/Canceled/g; s/"(True|False|Unknown) Reached/"$1 Reachable/g; s/\bReached\b/Reachable/g; s/"Removed"/"Uninstalled"/g; s/True Removed/True Uninstalled/g; s/reason: Removed/reason: Uninstalled/g;' $(git ls-files | grep -vE '^(CHANGELOG.md|docs/adr/|internal/transitions/|.*\.(tgz|png|svg|sum)$)')
python3 hack/apirename/yamlconv.py > /dev/null
hack/apirename/api-text.sh
perl -pi -e 's/\bapp: \{source: (charts|none|%s|market)/appRef: {source: $1/g' test/integration/*.go api/v1alpha1/appinstalltask_test.go
gofmt -w $(gofmt -l api controllers internal test hydrate hack 2>/dev/null)
git add -A; git commit -qm "adapt to API"; git log --oneline | head -1
