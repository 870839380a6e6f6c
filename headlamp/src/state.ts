import { AppInfoData, AppInstallTaskData, AppInstanceData, Condition, Problem } from './resources';

/** Words for the conditions of objects, and the tasks that the actions of the plugin create. */

/** The progress conditions of each kind, in order. */
const milestones: Record<string, string[]> = {
  AppInfo: ['Fetched', 'Rendered', 'Customized', 'Analyzed', 'Published'],
  AppInstance: ['Resolved', 'Applied', 'Healthy'],
  AppInstallTask: ['Admitted', 'Resolved', 'Applied', 'Healthy'],
};

function findCondition(conditions: Condition[] | undefined, ...types: string[]) {
  return conditions?.find(condition => types.includes(condition.type));
}

/** Returns the summary condition of an object. */
export function summaryOf(conditions: Condition[] | undefined): Condition {
  return (
    findCondition(conditions, 'Ready', 'Succeeded') ?? {
      type: '',
      status: 'Unknown',
      reason: 'Pending',
      message: 'The operator has not processed the object yet.',
    }
  );
}

/** Returns the color of a label for the status of a condition. */
export function labelStatus(status: string) {
  return status === 'True' ? 'success' : status === 'False' ? 'error' : 'warning';
}

/** Returns the condition of each milestone of a kind, with the reason Open if it has none. */
export function milestonesOf(kind: string, conditions: Condition[] | undefined): Condition[] {
  return milestones[kind].map(
    type =>
      findCondition(conditions, type) ?? { type, status: 'Unknown', reason: 'Open', message: '' }
  );
}

export function instanceNameOf(task: AppInstallTaskData) {
  return task.spec.instanceName || task.spec.appRef.name;
}

/** Returns the manifests that solve problems, each once. */
export function remediesOf(problems: Problem[] | undefined) {
  return [...new Set(problems?.map(problem => problem.remedy?.trim() ?? ''))].filter(Boolean);
}

export type ActionName = 'Upgrade' | 'Stop' | 'Resume';

/** Returns the actions that can be requested for an instance in its present state. */
export function actionsOf({ metadata, spec, status }: AppInstanceData): ActionName[] {
  if (spec.desiredState === 'Uninstalled' || metadata.deletionTimestamp) {
    return [];
  }
  const actions: ActionName[] = status?.availableUpdate ? ['Upgrade'] : [];
  return [...actions, spec.desiredState === 'Stopped' ? 'Resume' : 'Stop'];
}

export function canCancel({ metadata, spec, status }: AppInstallTaskData) {
  return !status?.completionTime && !spec.cancel && !metadata.deletionTimestamp;
}

/** Returns the next step for an instance, empty if there is none. */
export function nextStepOf({ spec, status }: AppInstanceData) {
  if (remediesOf(status?.preflight).length > 0) {
    return 'Ask an administrator to apply the manifest below. The operator then continues.';
  }
  if (summaryOf(status?.conditions).status === 'False' && spec.desiredState !== 'Uninstalled') {
    return 'Read the message and the events, and roll back or configure the app.';
  }
  if (spec.desiredState === 'Stopped') {
    return 'Resume the app to start its Pods.';
  }
  return status?.availableUpdate ? `Upgrade to version ${status.availableUpdate}.` : '';
}

/** Returns the next step for a task, empty if there is none. */
export function nextTaskStepOf({ metadata, status }: AppInstallTaskData) {
  const { status: succeeded, reason } = summaryOf(status?.conditions);
  if (reason === 'WaitingForInput' && !status?.completionTime) {
    return `Enter the inputs on the web pages, or with kubectl market inputs ${metadata.name} -n ${metadata.namespace}.`;
  }
  if (!status?.completionTime) {
    return 'Wait for the end of the task, or cancel it.';
  }
  if (succeeded === 'True') {
    return '';
  }
  return remediesOf(status.preflight).length > 0
    ? 'Ask an administrator to apply the manifest below, and request the action again.'
    : 'Solve the problem that the message describes, and request the action again.';
}

const suffixLetters = 'bcdfghjklmnpqrstvwxz2456789';
const maxInstanceLength = 40;

/** Returns the random end of the name of a task. */
export function newSuffix() {
  return Array.from(crypto.getRandomValues(new Uint8Array(5)))
    .map(byte => suffixLetters[byte % suffixLetters.length])
    .join('');
}

/** Returns the task that requests an action for an instance. */
export function newTask(
  { metadata, spec, status }: AppInstanceData,
  action: ActionName,
  suffix: string
) {
  const short = metadata.name.slice(0, maxInstanceLength).replace(/[-.]+$/, '');
  return {
    apiVersion: 'appmarket.io/v1alpha1',
    kind: 'AppInstallTask',
    metadata: { name: `${action.toLowerCase()}-${short}-${suffix}`, namespace: metadata.namespace },
    spec: {
      action,
      appRef: spec.appRef,
      instanceName: metadata.name,
      ...(action === 'Upgrade' && { upgrade: { version: status?.availableUpdate } }),
    },
  };
}

/** Returns an http or https URL without credentials and without a slash at the end, empty for another text. */
export function openableURL(text: string | undefined) {
  if (!text || !URL.canParse(text)) {
    return '';
  }
  const { protocol, username, password, href } = new URL(text);
  const isOpenable = ['https:', 'http:'].includes(protocol) && !username && !password;
  return isOpenable ? href.replace(/\/+$/, '') : '';
}

/** Returns the URL of the form that installs an app, empty without the URL of the web pages. */
export function installURL(pages: string | undefined, { metadata, spec }: AppInfoData) {
  const base = openableURL(pages);
  const path = [metadata.namespace ?? '', spec.sourceRef.name, spec.app].map(encodeURIComponent);
  return base && `${base}/apps/${path.join('/')}/install`;
}
