/** The Kubernetes manifests, and what judges them: the validators and the types of every kind that we use. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { PrometheusRule } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule';
import { ServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor';
import { Deployment } from 'kubernetes-models/apps/v1/Deployment';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import { ConfigMap } from 'kubernetes-models/v1/ConfigMap';
import { PersistentVolumeClaim } from 'kubernetes-models/v1/PersistentVolumeClaim';
import { Service } from 'kubernetes-models/v1/Service';
import { parse } from 'yaml';
import { RULES_TEXT } from '../alerts/rules-file.ts';

const REPOSITORY = new URL('../..', import.meta.url).pathname;
export const FOLDER = join(REPOSITORY, 'deploy', 'kubernetes');
export const OPERATOR_FOLDER = join(FOLDER, 'prometheus-operator');
export const RULE_FILE = join(OPERATOR_FOLDER, 'prometheusrule.yaml');

/** By apiVersion and kind: the model that validates, and where its type stands. */
const KINDS = {
  'v1 ConfigMap': [ConfigMap, 'kubernetes-models/v1/ConfigMap'],
  'v1 PersistentVolumeClaim': [PersistentVolumeClaim, 'kubernetes-models/v1/PersistentVolumeClaim'],
  'v1 Service': [Service, 'kubernetes-models/v1/Service'],
  'apps/v1 Deployment': [Deployment, 'kubernetes-models/apps/v1/Deployment'],
  'networking.k8s.io/v1 NetworkPolicy': [
    NetworkPolicy,
    'kubernetes-models/networking.k8s.io/v1/NetworkPolicy',
  ],
  'monitoring.coreos.com/v1 ServiceMonitor': [
    ServiceMonitor,
    '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor',
  ],
  'monitoring.coreos.com/v1 PrometheusRule': [
    PrometheusRule,
    '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule',
  ],
} as const;

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
}

export function readManifest(file: string): unknown {
  return parse(readFileSync(file, 'utf8'), { strict: true, uniqueKeys: true });
}

/** The manifests that `kubectl apply --kustomize` would take, by their file's path. */
export function resourcesOf(folder: string): readonly string[] {
  const { resources } = readManifest(join(folder, 'kustomization.yaml')) as { resources: string[] };
  return resources.map((name) => join(folder, name));
}

/** Throws where a value is none that the kind's schema allows. */
export function validate(manifest: Manifest): void {
  const [Model] = kindOf(manifest);
  // One constructor of several, and what it takes is only known once it has judged it.
  new (Model as unknown as new (data: Manifest) => { validate(): void })(manifest).validate();
}

/** What the compiler says of the manifests as values of their types. The validators let unknown keys pass; the types do not. */
export function typeFaults(manifests: readonly Manifest[]): string {
  // In here, where the compiler finds the types' package.
  const folder = mkdtempSync(join(REPOSITORY, 'node_modules', '.manifests-'));
  try {
    const lines = manifests.map((manifest, i) => {
      const [, module] = kindOf(manifest);
      return `import type { I${manifest.kind} as Kind${i} } from '${module}';
export const manifest${i} = ${JSON.stringify(manifest)} satisfies Kind${i};`;
    });
    const file = join(folder, 'manifests.ts');
    writeFileSync(file, lines.join('\n'));
    execFileSync(
      join(REPOSITORY, 'node_modules', '.bin', 'tsc'),
      ['--noEmit', '--ignoreConfig', '--strict', '--skipLibCheck', '--module', 'nodenext', file],
      { encoding: 'utf8', stdio: 'pipe', cwd: folder },
    );
    return '';
  } catch (error) {
    return (error as { stdout?: string }).stdout ?? String(error);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function kindOf({ apiVersion, kind }: Manifest): (typeof KINDS)[keyof typeof KINDS] {
  const name = `${apiVersion} ${kind}`;
  if (!isKnown(name)) throw new Error(`teach ${basename(import.meta.url)} the kind ${name}`);
  return KINDS[name];
}

function isKnown(name: string): name is keyof typeof KINDS {
  return name in KINDS;
}

/**
 * alerts/jim.rules.yaml as the operator takes it, its comments too: word for word but for an expression that is a broken
 * number (`expr: 0.9`), which Prometheus reads and the kind refuses, as it knows text and whole numbers only.
 */
export function prometheusRule(): string {
  const [comment, groups] = RULES_TEXT.split(/^(?=groups:)/m);
  if (comment === undefined || groups === undefined) throw new Error('the rules have no groups');
  const indented = groups
    .replaceAll(/^(\s+expr: )(\d+\.\d+)$/gm, "$1'$2'")
    .replaceAll(/^(?=.)/gm, '  ');
  return `# Written by npm run deploy from alerts/jim.rules.yaml; change the rules there.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: jim-exporter
  labels:
    app.kubernetes.io/name: jim-exporter
spec:
${indented}`;
}

export function nameOf(file: string): string {
  return join(basename(dirname(file)), basename(file));
}
