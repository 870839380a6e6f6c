#!/bin/bash
# run in a worktree: renames reasons and names in all text files
files=$(git ls-files | grep -vE '^(CHANGELOG.md|docs/adr/|.*\.(tgz|png|svg|sum)$)' )
perl -pi -e '
s/(?<![A-Za-z])(Reason)?SecretMissing\b/($1\/\/"")."ReferenceNotFound"/ge;
s/\b(Reason)?TooLong\b/($1\/\/"")."NameTooLong"/ge;
s/\b(Reason)?NotNewer\b/($1\/\/"")."VersionNotNewer"/ge;
s/\b(Reason)?DependedUpon\b/($1\/\/"")."HasDependents"/ge;
s/\b(Reason)?AdministratorNeeded\b/($1\/\/"")."ClusterPermissionRequired"/ge;
s/\b(Reason)?KindMissing\b/($1\/\/"")."NoKindMatch"/ge;
s/\b(Reason)?WrongState\b/($1\/\/"")."InvalidState"/ge;
s/\b(Reason)?FailedBefore\b/($1\/\/"")."PreviouslyFailed"/ge;
s/\b(Reason)?PurchaseSignAgain\b/($1\/\/"")."PurchaseRequestRejected"/ge;
s/\b(Reason)?NotHealthy\b/($1\/\/"")."Unhealthy"/ge;
s/\b(Reason)?NotShared\b/($1\/\/"")."RefNotPermitted"/ge;
s/\b(Reason)?ChartMissing\b/($1\/\/"")."ChartNotFound"/ge;
s/\b(Reason)?LicenseMissing\b/($1\/\/"")."LicenseNotFound"/ge;
s/\b(Reason)?InputMissing\b/($1\/\/"")."InputRequired"/ge;
s/\b(Reason)?StorageClassMissing\b/($1\/\/"")."StorageClassNotFound"/ge;
s/\b(Reason)?ServiceAccountMissing\b/($1\/\/"")."ServiceAccountNotFound"/ge;
s/\bReasonCancelled\b/ReasonCanceled/g;
s/"Cancelled"/"Canceled"/g; s/`Cancelled`/`Canceled`/g; s/;Cancelled\b/;Canceled/g; s/reason Cancelled/reason Canceled/g; s/is Cancelled or/is Canceled or/g;
s/\bReasonRemoved\b/ReasonUninstalled/g; s/`Removed`/`Uninstalled`/g;
s/\bReasonReached\b/ReasonReachable/g; s/\bConditionReached\b/ConditionReachable/g; s/"Reached"/"Reachable"/g; s/`Reached`/`Reachable`/g;
' $files
