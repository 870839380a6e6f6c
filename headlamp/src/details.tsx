import {
  DetailsGrid,
  NameValueTable,
  SectionBox,
  SimpleTable,
  StatusLabel,
} from '@kinvolk/headlamp-plugin/lib/CommonComponents';
import { Box, Typography } from '@mui/material';
import { useParams } from 'react-router-dom';
import { CancelAction, InstallAction, TaskAction } from './actions';
import { State } from './lists';
import { AppInfo, AppInstallTask, AppInstance, Condition, Problem } from './resources';
import {
  actionsOf,
  canCancel,
  instanceNameOf,
  labelStatus,
  milestonesOf,
  nextStepOf,
  nextTaskStepOf,
  openableURL,
  remediesOf,
  summaryOf,
} from './state';

interface ProgressProps {
  item: AppInfo | AppInstance | AppInstallTask;
  next?: string;
}

/** Shows the state of an object, its message, the next step, and its milestones. */
function Progress({ item, next }: ProgressProps) {
  const conditions = item.status?.conditions;
  return (
    <SectionBox title="State">
      <NameValueTable
        rows={[
          { name: 'State', value: <State conditions={conditions} /> },
          { name: 'Message', value: summaryOf(conditions).message },
          { name: 'Next step', value: next ?? '', hide: !next },
        ]}
      />
      <SimpleTable
        data={milestonesOf(item.kind, conditions)}
        columns={[
          { label: 'Milestone', getter: ({ type }: Condition) => type },
          {
            label: 'State',
            getter: ({ status, reason }: Condition) => (
              <StatusLabel status={labelStatus(status)}>{reason}</StatusLabel>
            ),
          },
          { label: 'Message', getter: ({ message }: Condition) => message },
        ]}
      />
    </SectionBox>
  );
}

/** Shows the problems that were found before an operation, and the manifests that solve them. */
function Problems({ problems }: { problems?: Problem[] }) {
  if (!problems?.length) {
    return null;
  }
  const remedies = remediesOf(problems);
  return (
    <SectionBox title="Problems">
      <SimpleTable
        data={problems}
        columns={[
          { label: 'Reason', getter: (problem: Problem) => problem.reason },
          { label: 'Message', getter: (problem: Problem) => problem.message },
        ]}
      />
      {remedies.length > 0 && (
        <>
          <Typography>An administrator can apply this manifest:</Typography>
          <Box component="pre" tabIndex={0} sx={{ overflow: 'auto' }}>
            {remedies.join('\n---\n')}
          </Box>
        </>
      )}
    </SectionBox>
  );
}

/** Shows the entrances of an instance. Their URLs come from charts. */
function Entrances({ instance }: { instance: AppInstance }) {
  return instance.status?.entrances
    ?.filter(({ hidden, url }) => !hidden && openableURL(url))
    .map(({ name, title, url }) => (
      <Box key={name}>
        <a href={openableURL(url)} target="_blank" rel="noopener noreferrer nofollow">
          {title || name}
        </a>
      </Box>
    ));
}

/** Shows an app. */
export function AppDetails() {
  return (
    <DetailsGrid
      {...useParams<{ namespace: string; name: string }>()}
      resourceType={AppInfo}
      withEvents
      actions={app => app && [<InstallAction key="install" app={app} />]}
      extraInfo={app =>
        app && [
          { name: 'Title', value: app.status?.summary?.title },
          { name: 'Description', value: app.status?.summary?.description },
          { name: 'Developer', value: app.status?.summary?.developer },
          { name: 'Source', value: app.spec.sourceRef.name },
          { name: 'Versions', value: app.status?.versions?.map(v => v.version).join(', ') },
          { name: 'Withdrawn', value: 'Yes', hide: !app.spec.withdrawn },
        ]
      }
      extraSections={app => [<Progress key="progress" item={app} />]}
    />
  );
}

/** Shows an installed app. */
export function InstanceDetails() {
  return (
    <DetailsGrid
      {...useParams<{ namespace: string; name: string }>()}
      resourceType={AppInstance}
      withEvents
      actions={instance =>
        instance &&
        actionsOf(instance.jsonData).map(name => (
          <TaskAction key={name} instance={instance} name={name} />
        ))
      }
      extraInfo={instance => {
        const { inventory, version, availableUpdate } = instance?.status ?? {};
        return (
          instance && [
            { name: 'App', value: `${instance.spec.appRef.source}/${instance.spec.appRef.name}` },
            { name: 'Version', value: version },
            { name: 'Update', value: availableUpdate, hide: !availableUpdate },
            {
              name: 'Objects',
              value: `${inventory?.ready ?? 0} of ${inventory?.total ?? 0} ready`,
            },
            { name: 'Entrances', value: <Entrances instance={instance} /> },
          ]
        );
      }}
      extraSections={instance => [
        <Progress key="progress" item={instance} next={nextStepOf(instance.jsonData)} />,
        <Problems key="problems" problems={instance.status?.preflight} />,
      ]}
    />
  );
}

/** Shows a task. */
export function TaskDetails() {
  return (
    <DetailsGrid
      {...useParams<{ namespace: string; name: string }>()}
      resourceType={AppInstallTask}
      withEvents
      actions={task =>
        task && canCancel(task.jsonData) ? [<CancelAction key="cancel" task={task} />] : []
      }
      extraInfo={task => {
        const inputs = task?.status?.requiredInputs?.map(input => input.title || input.name);
        return (
          task && [
            { name: 'Action', value: task.spec.action },
            { name: 'Instance', value: instanceNameOf(task.jsonData) },
            { name: 'Version', value: task.status?.version },
            { name: 'Missing inputs', value: inputs?.join(', '), hide: !inputs?.length },
          ]
        );
      }}
      extraSections={task => [
        <Progress key="progress" item={task} next={nextTaskStepOf(task.jsonData)} />,
        <Problems key="problems" problems={task.status?.preflight} />,
      ]}
    />
  );
}
