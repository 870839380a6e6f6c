import { describe, expect, it } from 'vitest';
import { AppInfoData, AppInstallTaskData, AppInstanceData, Condition } from './resources';
import {
  ActionName,
  actionsOf,
  canCancel,
  installURL,
  labelStatus,
  milestonesOf,
  newSuffix,
  newTask,
  nextStepOf,
  nextTaskStepOf,
  openableURL,
  remediesOf,
  summaryOf,
} from './state';
import tasks from './tasks.json';

function condition(type: string, status: string, reason: string, message = ''): Condition {
  return { type, status, reason, message };
}

function newInstance(
  spec: Partial<AppInstanceData['spec']> = {},
  status: AppInstanceData['status'] = {}
): AppInstanceData {
  return {
    kind: 'AppInstance',
    metadata: { namespace: 'demo', name: 'wiki' } as AppInstanceData['metadata'],
    spec: { appRef: { source: 'samples', name: 'wiki' }, ...spec },
    status,
  };
}

function newTaskData(status: AppInstallTaskData['status'] = {}, cancel = false) {
  return {
    kind: 'AppInstallTask',
    metadata: { namespace: 'demo', name: 'install-wiki-aaaaa' } as AppInstallTaskData['metadata'],
    spec: { action: 'Install', appRef: { source: 'samples', name: 'wiki' }, cancel },
    status,
  };
}

const failed = condition('Ready', 'False', 'Unhealthy', 'Deployment/wiki is not ready');
const problem = { reason: 'PermissionDenied', message: 'missing', remedy: 'kind: Role\n' };

describe('conditions', () => {
  it('are summarized by Ready or Succeeded', () => {
    expect(summaryOf([condition('Applied', 'True', 'Applied'), failed])).toBe(failed);
    expect(summaryOf([condition('Succeeded', 'True', 'Succeeded')]).reason).toBe('Succeeded');
    expect(summaryOf(undefined).reason).toBe('Pending');
  });

  it('have a color', () => {
    expect(['True', 'False', 'Unknown'].map(labelStatus)).toEqual(['success', 'error', 'warning']);
  });

  it('are shown in the order of the milestones', () => {
    const rows = milestonesOf('AppInstance', [
      condition('Applied', 'True', 'Applied'),
      condition('Resolved', 'True', 'Resolved'),
    ]);
    expect(rows.map(row => row.type + ' ' + row.reason)).toEqual([
      'Resolved Resolved',
      'Applied Applied',
      'Healthy Open',
    ]);
  });
});

describe('actions', () => {
  it.each([
    ['running', newInstance(), ['Stop']],
    ['update', newInstance({}, { availableUpdate: '2.0.0' }), ['Upgrade', 'Stop']],
    ['stopped', newInstance({ desiredState: 'Stopped' }), ['Resume']],
    ['uninstalled', newInstance({ desiredState: 'Uninstalled' }), []],
  ])('of an instance: %s', (_, instance, want) => {
    expect(actionsOf(instance)).toEqual(want);
  });

  it('cancel only a task that has not ended', () => {
    expect(canCancel(newTaskData())).toBe(true);
    expect(canCancel(newTaskData({ completionTime: '2026-01-01T00:00:00Z' }))).toBe(false);
    expect(canCancel(newTaskData({}, true))).toBe(false);
  });

  it('create the tasks of tasks.json', () => {
    for (const { instance, tasks: wanted } of tasks) {
      for (const [action, task] of Object.entries(wanted)) {
        const created = newTask(instance as AppInstanceData, action as ActionName, 'x7k2p');
        expect(JSON.parse(JSON.stringify(created))).toEqual(task);
      }
    }
  });

  it('create tasks with valid names', () => {
    const instance = newInstance();
    instance.metadata.name = 'a'.repeat(39) + '.' + 'b'.repeat(60);
    const { name } = newTask(instance, 'Upgrade', newSuffix()).metadata;
    expect(name).toMatch(/^upgrade-a{39}-[a-z0-9]{5}$/);
    expect(name.length).toBeLessThanOrEqual(63);
  });
});

describe('next steps', () => {
  it.each([
    ['none', newInstance(), ''],
    ['an update', newInstance({}, { availableUpdate: '2.0.0' }), 'Upgrade to version 2.0.0.'],
    ['stopped', newInstance({ desiredState: 'Stopped' }), 'Resume'],
    ['a failure', newInstance({}, { conditions: [failed] }), 'Read the message'],
    ['a remedy', newInstance({}, { conditions: [failed], preflight: [problem] }), 'administrator'],
  ])('of an instance: %s', (_, instance, want) => {
    const next = nextStepOf(instance);
    expect(want === '' ? next === '' : next.includes(want)).toBe(true);
  });

  it.each([
    ['running', {}, 'Wait for the end'],
    [
      'missing inputs',
      { conditions: [condition('Succeeded', 'Unknown', 'WaitingForInput')] },
      'kubectl market inputs install-wiki-aaaaa -n demo',
    ],
    [
      'failed',
      { completionTime: 'now', conditions: [condition('Succeeded', 'False', 'Failed')] },
      'Solve',
    ],
    ['rejected', { completionTime: 'now', preflight: [problem] }, 'administrator'],
  ])('of a task: %s', (_, status, want) => {
    expect(nextTaskStepOf(newTaskData(status))).toContain(want);
  });

  it('contain each remedy once', () => {
    expect(remediesOf([problem, problem, { reason: 'A', message: 'B' }])).toEqual(['kind: Role']);
    expect(remediesOf(undefined)).toEqual([]);
  });
});

describe('URLs', () => {
  it.each([
    ['https://market.example.com/', 'https://market.example.com'],
    ['http://127.0.0.1:8090/pages/', 'http://127.0.0.1:8090/pages'],
    ['javascript:alert(1)', ''],
    ['https://user:password@market.example.com', ''],
    ['market.example.com', ''],
    [undefined, ''],
  ])('that can be opened: %s', (url, want) => {
    expect(openableURL(url)).toBe(want);
  });

  it('open the form of an app', () => {
    const app = {
      metadata: { namespace: 'market' },
      spec: { sourceRef: { name: 'samples' }, app: 'a/../b?c' },
    } as AppInfoData;
    expect(installURL('https://market.example.com/', app)).toBe(
      'https://market.example.com/apps/market/samples/a%2F..%2Fb%3Fc/install'
    );
    expect(installURL('', app)).toBe('');
  });
});
