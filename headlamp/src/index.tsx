import {
  registerPluginSettings,
  registerRoute,
  registerSidebarEntry,
} from '@kinvolk/headlamp-plugin/lib';
import { AppDetails, InstanceDetails, TaskDetails } from './details';
import { AppList, InstanceList, TaskList } from './lists';
import { AppInfo, AppInstallTask, AppInstance } from './resources';
import { pluginName, SettingsForm } from './settings';

const pages = [
  { path: 'apps', label: 'Apps', list: AppList, details: AppDetails, route: AppInfo.detailsRoute },
  {
    path: 'installed',
    label: 'Installed',
    list: InstanceList,
    details: InstanceDetails,
    route: AppInstance.detailsRoute,
  },
  {
    path: 'tasks',
    label: 'Tasks',
    list: TaskList,
    details: TaskDetails,
    route: AppInstallTask.detailsRoute,
  },
];

registerSidebarEntry({
  name: pluginName,
  parent: null,
  label: 'AppMarket',
  url: `/${pluginName}/apps`,
  icon: 'mdi:storefront-outline',
});

for (const { path, label, list: List, details: Details, route } of pages) {
  const entry = `${pluginName}-${path}`;
  registerSidebarEntry({ name: entry, parent: pluginName, label, url: `/${pluginName}/${path}` });
  registerRoute({
    path: `/${pluginName}/${path}`,
    sidebar: entry,
    name: entry,
    exact: true,
    component: () => <List />,
  });
  registerRoute({
    path: `/${pluginName}/${path}/:namespace/:name`,
    sidebar: entry,
    name: route,
    exact: true,
    component: () => <Details />,
  });
}

registerPluginSettings(pluginName, SettingsForm, true);
