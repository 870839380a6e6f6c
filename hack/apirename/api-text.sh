#!/bin/bash
# text forms of the API renames; idempotent. Run in a worktree.
files=$(git ls-files | grep -E '\.(go|md|yaml|yml|sh|lua|txt|tpl)$' | grep -vE '^(CHANGELOG.md|docs/adr/|docs/api/|config/crd/|charts/appmarket/crds/)|zz_generated|docs/spec/api-changes')
perl -pi -e '
s/\bspec\.envs\b/spec.inputs/g;
s/\bspec\.deadline\b/spec.startDeadline/g; s/`deadline`/`startDeadline`/g;
s/\bspec\.history\b/spec.revisionHistoryLimit/g;
s/\bstatus\.ledger\b/status.completedTasks/g;
s/\bstatus\.retained\b(?!Objects)/status.retainedObjects/g;
s/\bstatus\.operation\b/status.currentOperation/g;
s/\bstatus\.steps\b/status.subtasks/g; s/`steps`/`subtasks`/g; s/`undoing`/`reverting`/g;
s/adopt it with spec\.adopt,/set spec.adoptionPolicy to Adopt,/g; s/remove spec\.adopt to/remove spec.adoptionPolicy to/g; s/`adopt: true`/`adoptionPolicy: Adopt`/g; s/\bspec\.adopt\b(?!ion)/spec.adoptionPolicy/g if $ARGV !~ m{appinstalltask};
s/\bspec\.sharing\b/spec.allowedNamespaces/g; s/`sharing`/`allowedNamespaces`/g;
s/\bspec\.include\b/spec.filter.include/g; s/\bspec\.exclude\b/spec.filter.exclude/g; s/`include`/`filter.include`/g if m{source}i; s/`versions\.keep`/`filter.maxVersions`/g; s/\bspec\.versions of its\b/spec.filter.maxVersions of its/g;
s/\bspec\.versions\.keep\b/spec.filter.maxVersions/g;
s/\bspec\.secretRef\b/spec.helm.secretRef/g; s/\bspec\.certSecretRef\b/spec.helm.certSecretRef/g;
s/\bspec\.readiness\b/spec.readyWhen/g; s/`readiness`/`readyWhen`/g;
s/\bspec\.targetTask\b/spec.cancelTask.name/g;
s/\bspec\.credentialRef\b/spec.credentialSecretRef/g; s/`credentialRef`/`credentialSecretRef`/g; s/\bpurchaseRequestRef\b/purchaseRequestSecretRef/g; s/`keysRef`/`keysSecretRef`/g; s/\bkeysRef:/keysSecretRef:/g;
s/`envs`/`inputs`/g; s/`cloneOf`/`clone.from`/g; s/`cloneNamespace`/`clone.from.namespace`/g; s/`allowDowngrade`/`upgrade.allowDowngrade`/g;
s/"spec\.revision: instance/"spec.rollback.revision: instance/g if $ARGV =~ m{appinstalltask|refused_task};
s/`spec\.revision: instance/`spec.rollback.revision: instance/g;
s/\bspec\.revision\b/spec.pinnedRevision/g if $ARGV !~ m{appinstalltask/};
s/\bspec\.app\.name\b/spec.appRef.name/g if $ARGV !~ m{appinfo}i;
s/\bdesired state is Absent\b/desired state is Uninstalled/g; s/`Absent`/`Uninstalled`/g; s/\bdesiredState: Absent\b/desiredState: Uninstalled/g; s/"Absent"/"Uninstalled"/g if $ARGV !~ m{crds_test}; s/unless Absent/unless Uninstalled/g; s/set to Absent/set to Uninstalled/g; s/of an Absent instance/of an uninstalled instance/g; s/desiredState is Absent/desiredState is Uninstalled/g;
s/`retained`/`retainedObjects`/g; s/`status\.version`/`status.selectedVersion`/g if $ARGV =~ m{appinfos};
s/\bsharing: ?\{/allowedNamespaces: {/g; s/\bsharing:$/allowedNamespaces:/g;
s/\bSharingIgnored\b/AllowedNamespacesIgnored/g;
' $files
perl -pi -e 's/^  operation:/  currentOperation:/; s/^  ledger:/  completedTasks:/; s/^  retained:/  retainedObjects:/; s/^  steps:/  subtasks:/; s/^  cancelledBy:/  canceledBy:/; s/^  undoing:/  reverting:/; s/^(\s+)step: /$1condition: /; s/^      images: (\d)/      imageCount: $1/; s/^(\s+)hydrator:/$1pipelineRevision:/;' $(git ls-files 'config/argocd/*testdata*')
perl -pi -e 's/^  version: (\d)/  selectedVersion: $1/' $(git ls-files 'config/argocd/resource_customizations/appmarket.io/AppInfo/*testdata*')
perl -pi -e 's/^      images: (\d)/      imageCount: $1/;' $(git ls-files 'config/argocd/resource_customizations/appmarket.io/AppInfo/*testdata*')
perl -pi -e 's/ConditionSharingIgnored/ConditionAllowedNamespacesIgnored/g' $(git ls-files '*.go')
