import { KubeObject, KubeObjectInterface } from '@kinvolk/headlamp-plugin/lib/k8s/cluster';

/** The kinds of AppMarket, with the fields of their API that the plugin reads. */

export interface Condition {
  type: string;
  status: string;
  reason: string;
  message: string;
}

export interface Problem {
  reason: string;
  message: string;
  remedy?: string;
}

export interface AppInfoData extends KubeObjectInterface {
  spec: { sourceRef: { name: string }; app: string; withdrawn?: boolean; hidden?: boolean };
  status?: {
    conditions?: Condition[];
    selectedVersion?: string;
    summary?: { title?: string; description?: string; categories?: string[]; developer?: string };
    versions?: { version: string }[];
  };
}

interface AppReference {
  namespace?: string;
  source: string;
  name: string;
}

export interface AppInstanceData extends KubeObjectInterface {
  spec: { appRef: AppReference; desiredState?: string };
  status?: {
    conditions?: Condition[];
    version?: string;
    availableUpdate?: string;
    preflight?: Problem[];
    inventory?: { total?: number; ready?: number };
    entrances?: { name: string; title?: string; url?: string; hidden?: boolean }[];
  };
}

export interface AppInstallTaskData extends KubeObjectInterface {
  spec: {
    action: string;
    appRef: AppReference;
    instanceName?: string;
    cancel?: boolean;
    dryRun?: boolean;
  };
  status?: {
    conditions?: Condition[];
    completionTime?: string;
    version?: string;
    preflight?: Problem[];
    requiredInputs?: { name: string; title?: string }[];
  };
}

type Data = AppInfoData | AppInstanceData | AppInstallTaskData;

class MarketObject<T extends Data> extends KubeObject<T> {
  static apiVersion = 'appmarket.io/v1alpha1';
  static isNamespaced = true;

  /** The name of the route of the page of an object. */
  static get detailsRoute() {
    return `appmarket-${this.kind}`;
  }

  get spec(): T['spec'] {
    return this.jsonData.spec;
  }

  get status(): T['status'] {
    return this.jsonData.status;
  }
}

export class AppInfo extends MarketObject<AppInfoData> {
  static kind = 'AppInfo';
  static apiName = 'appinfos';
}

export class AppInstance extends MarketObject<AppInstanceData> {
  static kind = 'AppInstance';
  static apiName = 'appinstances';
}

export class AppInstallTask extends MarketObject<AppInstallTaskData> {
  static kind = 'AppInstallTask';
  static apiName = 'appinstalltasks';
}
