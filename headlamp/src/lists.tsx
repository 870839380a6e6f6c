import { Link, ResourceListView, StatusLabel } from '@kinvolk/headlamp-plugin/lib/CommonComponents';
import { AppInfo, AppInstallTask, AppInstance, Condition } from './resources';
import { instanceNameOf, labelStatus, summaryOf } from './state';

/** Shows the reason of the summary condition of an object. */
export function State({ conditions }: { conditions?: Condition[] }) {
  const { reason, status } = summaryOf(conditions);
  return <StatusLabel status={labelStatus(status)}>{reason}</StatusLabel>;
}

const stateColumn = {
  id: 'state',
  label: 'State',
  getValue: (item: AppInfo | AppInstance | AppInstallTask) =>
    summaryOf(item.status?.conditions).reason,
  render: (item: AppInfo | AppInstance | AppInstallTask) => (
    <State conditions={item.status?.conditions} />
  ),
};

function titleOf(app: AppInfo) {
  return app.status?.summary?.title || app.spec.app;
}

/** Lists the apps that are not hidden. */
export function AppList() {
  return (
    <ResourceListView
      title="Apps"
      resourceClass={AppInfo}
      filterFunction={(app: AppInfo) => !app.spec.hidden}
      columns={[
        {
          id: 'app',
          label: 'App',
          getValue: titleOf,
          render: app => <Link kubeObject={app}>{titleOf(app)}</Link>,
        },
        { id: 'source', label: 'Source', getValue: app => app.spec.sourceRef.name },
        'namespace',
        { id: 'version', label: 'Version', getValue: app => app.status?.selectedVersion },
        {
          id: 'categories',
          label: 'Categories',
          getValue: app => app.status?.summary?.categories?.join(', '),
        },
        stateColumn,
        'age',
      ]}
    />
  );
}

/** Lists the installed apps. */
export function InstanceList() {
  return (
    <ResourceListView
      title="Installed"
      resourceClass={AppInstance}
      columns={[
        'name',
        'namespace',
        { id: 'app', label: 'App', getValue: instance => instance.spec.appRef.name },
        { id: 'version', label: 'Version', getValue: instance => instance.status?.version },
        { id: 'update', label: 'Update', getValue: instance => instance.status?.availableUpdate },
        stateColumn,
        'age',
      ]}
    />
  );
}

/** Lists the tasks, without dry runs. */
export function TaskList() {
  return (
    <ResourceListView
      title="Tasks"
      resourceClass={AppInstallTask}
      filterFunction={(task: AppInstallTask) => !task.spec.dryRun}
      columns={[
        'name',
        'namespace',
        { id: 'action', label: 'Action', getValue: task => task.spec.action },
        { id: 'instance', label: 'Instance', getValue: task => instanceNameOf(task.jsonData) },
        { id: 'version', label: 'Version', getValue: task => task.status?.version },
        stateColumn,
        'age',
      ]}
    />
  );
}
