/** The Kubernetes manifests: valid, in step with the program and with each other; and the rules as the operator takes them. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { IServiceMonitor } from '@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor';
import type { IDeployment } from 'kubernetes-models/apps/v1/Deployment';
import type { INetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1/NetworkPolicy';
import type { IConfigMap } from 'kubernetes-models/v1/ConfigMap';
import type { IPersistentVolumeClaim } from 'kubernetes-models/v1/PersistentVolumeClaim';
import type { IService } from 'kubernetes-models/v1/Service';
import { parse } from 'yaml';
import { afterAll, describe, expect, test } from 'vitest';
import { parseArguments } from '../../src/cli/arguments.ts';
import { formatFault, loadConfig } from '../../src/config/load.ts';
import { scheduleFault } from '../../src/scheduler.ts';
import { RULES_TEXT } from '../alerts/rules-file.ts';
import { DEFAULT_PORT, defaultOf, MANIFEST, zeroHoldSeconds } from './defaults.ts';
import { parseDockerfile } from './image.ts';
import type { Manifest } from './manifests.ts';
import {
  FOLDER,
  nameOf,
  OPERATOR_FOLDER,
  prometheusRule,
  readManifest,
  resourcesOf,
  RULE_FILE,
  typeFaults,
  validate,
} from './manifests.ts';

if (process.env['UPDATE_DEPLOY'] === '1') writeFileSync(RULE_FILE, prometheusRule());

const FILES = [...resourcesOf(FOLDER), ...resourcesOf(OPERATOR_FOLDER)];
const file = (name: string): unknown => readManifest(join(FOLDER, name));
const manifest = (path: string): Manifest => readManifest(path) as Manifest;
const deployment = (file('deployment.yaml') as IDeployment).spec;
const pod = deployment?.template.spec;
const container = pod?.containers[0];
const service = (file('service.yaml') as IService).spec;
const monitor = (readManifest(join(OPERATOR_FOLDER, 'servicemonitor.yaml')) as IServiceMonitor)
  .spec;

const scratch = mkdtempSync(join(tmpdir(), 'jim-kubernetes-'));
afterAll(() => rmSync(scratch, { recursive: true }));

describe('every manifest', () => {
  test.each(FILES.map((path) => [nameOf(path), path]))('%s has values of its schema', (_, path) => {
    expect(() => validate(manifest(path))).not.toThrow();
  });

  test('has only keys that its kind knows', () => {
    expect(typeFaults(FILES.map((path) => manifest(path)))).toBe('');
  });

  test('is judged by tools that do find a bad value and a misspelt key', () => {
    const bad = { apiVersion: 'apps/v1', kind: 'Deployment', spec: { replicas: 'one' } };
    expect(() => validate(bad)).toThrow(/replicas must be integer/);
    const misspelt = { apiVersion: 'v1', kind: 'Service', spec: { selektor: {} } };
    expect(() => validate(misspelt)).not.toThrow();
    expect(typeFaults([misspelt])).toContain(`'"selektor"' does not exist`);
  });

  test('has the one name, and the one label by which all select', () => {
    const labels = { 'app.kubernetes.io/name': MANIFEST.name };
    const all = FILES.map((path) => (readManifest(path) as IService).metadata);
    expect(all).toEqual(FILES.map(() => ({ name: MANIFEST.name, labels })));
    expect(deployment?.selector.matchLabels).toEqual(labels);
    expect(deployment?.template.metadata?.labels).toEqual(labels);
    expect(service?.selector).toEqual(labels);
    expect(monitor?.selector.matchLabels).toEqual(labels);
    const policy = (file('networkpolicy.yaml') as INetworkPolicy).spec;
    expect(policy?.podSelector?.matchLabels).toEqual(labels);
  });
});

describe('the program in its pod', () => {
  /** A path of the container, in a folder of ours. */
  const here = (path: string): string => join(scratch, path);
  const environment = Object.fromEntries(
    (container?.env ?? []).map(({ name, value = '' }) => [name, value.replace(/^\//, here('/'))]),
  );

  test('is given flags, variables and a configuration in which it finds nothing to object to', () => {
    const mounts = new Map(container?.volumeMounts?.map((mount) => [mount.name, mount.mountPath]));
    const put = (path: string, content: string): void => {
      mkdirSync(dirname(here(path)), { recursive: true });
      writeFileSync(here(path), content);
    };
    const { data = {} } = file('configmap.yaml') as IConfigMap;
    for (const [name, content] of Object.entries(data))
      put(join(mounts.get('config') ?? '', name), content);
    put(join(mounts.get('secret') ?? '', secretKeyOfInstructions()), 'jim_ak_of_the_secret\n');

    const args = container?.args?.map((arg) => arg.replace('=/', `=${here('/')}`)) ?? [];
    const parsed = parseArguments(args, '');
    if (parsed.command !== 'serve') throw new Error(JSON.stringify(parsed));
    const loaded = loadConfig({
      flags: parsed.flags,
      environment,
      workingFolder: '/',
      scheduleFault,
    });
    if (!loaded.ok) throw new Error(loaded.faults.map(formatFault).join('\n'));
    expect(loaded.warnings).toEqual([]);
    expect(loaded.config.jim.apiKey.read()).toBe('jim_ak_of_the_secret');
    expect(loaded.config.storage.path).toBe(here(mounts.get('data') ?? ''));
    expect(loaded.config.web.listenAddresses.map(({ port }) => port)).toEqual([DEFAULT_PORT]);
  });

  /** `--from-file=jim_api_key=jim.key` in the comment that people follow. */
  function secretKeyOfInstructions(): string {
    const text = readFileSync(join(FOLDER, 'kustomization.yaml'), 'utf8');
    return /create secret generic (\S+) --from-file=(\S+?)=/.exec(text)?.[2] ?? '';
  }

  test('is the image of this version, with the user and the volume that the Dockerfile says', () => {
    const { images } = file('kustomization.yaml') as { images: { name: string; newTag: string }[] };
    expect(images).toEqual([expect.objectContaining({ name: container?.image })]);
    expect(images[0]?.newTag).toBe(MANIFEST.version);
    const said = (keyword: string): (string | null)[] =>
      parseDockerfile(join(FOLDER, '..', '..', 'Dockerfile'))
        .filter((instruction) => instruction.getKeyword() === keyword)
        .map((instruction) => instruction.getRawArgumentsContent());
    const { runAsUser, runAsGroup, fsGroup } = pod?.securityContext ?? {};
    expect(said('USER')).toEqual([`${runAsUser}:${runAsGroup}`]);
    expect(fsGroup).toBe(runAsGroup);
    const data = container?.volumeMounts?.find(({ name }) => name === 'data');
    expect(said('VOLUME')).toEqual([data?.mountPath]);
    expect(said('EXPOSE')).toEqual([String(DEFAULT_PORT)]);
  });

  test('has no more rights than it needs', () => {
    expect(pod).toMatchObject({
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    });
    expect(container?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    const writable = container?.volumeMounts?.filter(({ readOnly }) => readOnly !== true);
    expect(writable?.map(({ name }) => name)).toEqual(['data']);
  });

  test('is alone, keeps its ledger, and has time to stop', () => {
    expect(deployment).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } });
    const claim = file('persistentvolumeclaim.yaml') as IPersistentVolumeClaim;
    expect(pod?.volumes).toContainEqual({
      name: 'data',
      persistentVolumeClaim: { claimName: claim.metadata?.name },
    });
    expect(pod?.terminationGracePeriodSeconds).toBeGreaterThan(10);
  });
});

describe('the paths and ports', () => {
  test('are those of the program', () => {
    const port = container?.ports?.[0];
    expect(container?.ports).toEqual([{ name: 'metrics', containerPort: DEFAULT_PORT }]);
    expect(
      [container?.startupProbe, container?.livenessProbe, container?.readinessProbe].map(
        (probe) => probe?.httpGet,
      ),
    ).toEqual([
      { path: '/-/healthy', port: port?.name },
      { path: '/-/healthy', port: port?.name },
      { path: '/-/ready', port: port?.name },
    ]);
    expect(service?.ports).toEqual([
      { name: port?.name, port: DEFAULT_PORT, targetPort: port?.name },
    ]);
    expect(monitor?.endpoints).toEqual([
      { port: port?.name, path: defaultOf('web.telemetry-path'), interval: '30s' },
    ]);
    expect(2 * 30).toBeLessThan(zeroHoldSeconds());
  });

  test('pass the network policy: scrapes in; names, JIM and Alertmanager out', () => {
    const policy = (file('networkpolicy.yaml') as INetworkPolicy).spec;
    const ports = (rules: readonly { ports?: { port?: string | number }[] }[] = []): unknown =>
      rules.map((rule) => rule.ports?.map(({ port }) => port));
    expect(policy?.policyTypes).toEqual(['Ingress', 'Egress']);
    expect(ports(policy?.ingress)).toEqual([['metrics']]);
    expect(ports(policy?.egress)).toEqual([[53, 53], [443], [9093]]);
  });
});

test('the operator gets the rules of alerts/, comments and all (npm run deploy)', () => {
  expect(readFileSync(RULE_FILE, 'utf8')).toBe(prometheusRule());
  const asText = (key: unknown, value: unknown): unknown =>
    key === 'expr' && typeof value === 'number' ? String(value) : value;
  const { spec } = readManifest(RULE_FILE) as { spec: unknown };
  expect(JSON.stringify(spec, asText)).toBe(JSON.stringify(parse(RULES_TEXT), asText));
});
