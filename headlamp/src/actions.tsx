import { ActionButton, ConfirmDialog } from '@kinvolk/headlamp-plugin/lib/CommonComponents';
import { useSnackbar } from 'notistack';
import { useState } from 'react';
import { AppInfo, AppInstallTask, AppInstance } from './resources';
import { useSettings } from './settings';
import { ActionName, installURL, newSuffix, newTask } from './state';

const icons: Record<ActionName | 'Cancel', string> = {
  Upgrade: 'mdi:arrow-up-circle-outline',
  Stop: 'mdi:stop-circle-outline',
  Resume: 'mdi:play-circle-outline',
  Cancel: 'mdi:cancel',
};

interface ConfirmedActionProps {
  name: ActionName | 'Cancel';
  description: string;
  /** Sends the request. */
  onConfirm: () => Promise<unknown>;
}

/** Shows a button that sends a request after a confirmation, and shows an error of the API server. */
function ConfirmedAction({ name, description, onConfirm }: ConfirmedActionProps) {
  const [isOpen, setOpen] = useState(false);
  const { enqueueSnackbar } = useSnackbar();
  async function send() {
    setOpen(false);
    try {
      await onConfirm();
      enqueueSnackbar(`${name} was requested.`, { variant: 'success' });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      enqueueSnackbar(`${name} was not requested: ${message}`, { variant: 'error' });
    }
  }
  return (
    <>
      <ActionButton description={name} icon={icons[name]} onClick={() => setOpen(true)} />
      <ConfirmDialog
        open={isOpen}
        title={name}
        description={description}
        onConfirm={send}
        handleClose={() => setOpen(false)}
      />
    </>
  );
}

/** Shows the button that creates the task of an action. */
export function TaskAction({ instance, name }: { instance: AppInstance; name: ActionName }) {
  const update = instance.status?.availableUpdate;
  const target = name === 'Upgrade' ? ` to version ${update}` : '';
  return (
    <ConfirmedAction
      name={name}
      description={`${name} ${instance.getNamespace()}/${instance.getName()}${target}? This creates an AppInstallTask.`}
      onConfirm={() =>
        AppInstallTask.apiEndpoint.post(
          newTask(instance.jsonData, name, newSuffix()),
          {},
          instance.cluster
        )
      }
    />
  );
}

/** Shows the button that cancels a task. */
export function CancelAction({ task }: { task: AppInstallTask }) {
  return (
    <ConfirmedAction
      name="Cancel"
      description={`Cancel task ${task.getName()}? The operator reverts its changes.`}
      onConfirm={() => task.patch({ spec: { cancel: true } })}
    />
  );
}

/** Shows the button that opens the form of the web pages, if their URL is set. */
export function InstallAction({ app }: { app: AppInfo }) {
  const url = installURL(useSettings()?.url, app.jsonData);
  if (url === '') {
    return null;
  }
  return (
    <ActionButton
      description="Install"
      longDescription="Opens the form of the web pages of AppMarket"
      icon="mdi:download"
      onClick={() => window.open(url, '_blank', 'noopener,noreferrer')}
    />
  );
}
