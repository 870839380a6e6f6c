#!/bin/bash
# run in a worktree after merging: production and test code follows the API
f=$(git ls-files '*.go' | grep -v zz_generated | xargs grep -lE 'CloneOf|CloneNamespace|TargetTask|AllowDowngrade|Spec\.All\b|shouldCascade|Spec\.Revision|Spec\.(SecretRef|CertSecretRef|Include|Exclude|Versions)\b|spec\.(all|cloneOf|cloneNamespace|app|envs|secretRef|certSecretRef|include|exclude|allowDowngrade|version|values)\b|Spec\.Adopt\b')
perl -pi -e '
next if $ARGV =~ m{^api/};
s/\bs\.task\.Spec\.CloneOf\b/s.task.Spec.CloneFrom().Name/g;
s/\bs\.task\.Spec\.CloneNamespace\b/s.task.Spec.CloneFrom().Namespace/g;
s/\btask\.CloneOf\b/task.CloneFrom().Name/g;
s/s\.task\.Spec\.AllowDowngrade != nil && \*s\.task\.Spec\.AllowDowngrade && s\.task\.Spec\.Parameters\(\)\.Version != ""/s.task.Spec.AllowsDowngrade()/g;
s/number := s\.task\.Spec\.Revision;/number := s.task.Spec.RollbackRevision();/;
s/\bs\.task\.Spec\.TargetTask\b/s.task.Spec.CancelTaskName()/g;
s/\b(ms|source|s\.source)\.Spec\.SecretRef\b/$1.Spec.Helm.SecretRef/g;
s/\b(ms|source|s\.source)\.Spec\.CertSecretRef\b/$1.Spec.Helm.CertSecretRef/g;
s/spec\.secretRef/spec.helm.secretRef/g; s/spec\.certSecretRef/spec.helm.certSecretRef/g;
s/"spec\.include"/"spec.filter.include"/g; s/spec\.include and not spec\.exclude/spec.filter.include and not spec.filter.exclude/g; s/left out by spec\.exclude/left out by spec.filter.exclude/g;
s/spec\.cloneOf/spec.clone.from.name/g; s/set spec\.cloneNamespace/set spec.clone.from.namespace/g; s/in spec\.app,/in spec.appRef,/g; s/spec\.envs/spec.inputs/g;
s/set spec\.allowDowngrade/set spec.upgrade.allowDowngrade/g; s/name it in spec\.version/name it in spec.upgrade.version/g;
s/pinned to revision %d by spec\.revision/pinned to revision %d by spec.pinnedRevision/g;
' $f
