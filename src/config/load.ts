/**
 * Flags, environment and configuration file → one Config, or everything that is wrong with them.
 * A flag goes before a variable, a variable before the file, the file before the default.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { alertingOf } from './alerting.ts';
import type { Config } from './config.ts';
import type { FlagValues } from './flags.ts';
import { jimOf } from './jim.ts';
import { layersOf } from './layers.ts';
import type { Environment, Layers } from './layers.ts';
import { collectorsOf, pollOf } from './poll.ts';
import type { ScheduleFault } from './poll.ts';
import { whyUnreadable } from './secret.ts';
import { logOf, storageOf, webOf } from './serving.ts';
import { readSettings } from './settings.ts';
import type { Fault, Given, Section, SettingsFile } from './settings.ts';
import { parseYaml } from './yaml.ts';

export interface ConfigSources {
  readonly flags: FlagValues;
  readonly environment: Environment;
  /** What relative paths in flags and environment start from. Those in the file start from its own folder. */
  readonly workingFolder: string;
  /** The scheduler's own judgement. */
  readonly scheduleFault: ScheduleFault;
  /** The demo's own JIM, which goes before everything, and its storage path, which is only a default. */
  readonly demo?: { readonly url: string; readonly apiKey: string; readonly storagePath: string };
}

export type LoadedConfig =
  | {
      readonly ok: true;
      readonly config: Config;
      /** What is allowed but deserves a word at each start. */
      readonly warnings: readonly Fault[];
    }
  | { readonly ok: false; readonly faults: readonly Fault[] };

/** Never throws for anything that a user can write. */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const { given, faults } = layersWithDemo(sources);
  const ours = readSettings(null, given); // web and log are for flags and environment alone
  const [web, log] = [webOf(ours), logOf(ours.root.section('log'))];
  const file = readConfigFile(given.get('config.file') ?? null);
  if ('faults' in file) return { ok: false, faults: [...faults, ...file.faults, ...ours.faults] };

  const settings = readSettings(file.file, given);
  checkTopLevel(settings.root);
  const config: Config = {
    jim: jimOf(settings, sources.environment),
    poll: pollOf(settings, sources.scheduleFault),
    collectors: collectorsOf(settings.root.section('collectors'), sources.scheduleFault),
    storage: storageOf(settings.root.section('storage'), storageDefault(sources)),
    alerting: alertingOf(settings),
    web,
    log,
  };
  const all = [...faults, ...settings.faults, ...ours.faults];
  return all.length > 0
    ? { ok: false, faults: all }
    : { ok: true, config, warnings: sources.demo ? [] : warningsOf(config) };
}

/** `jim.yaml:3: jim.timeout: 30 has no unit; write 30s, 30m or the like` */
export function formatFault(fault: Fault): string {
  return `${fault.where}: ${fault.message}`;
}

function layersWithDemo(sources: ConfigSources): Layers {
  const layers = layersOf(sources.flags, sources.environment, sources.workingFolder);
  if (sources.demo === undefined) return layers;
  const given = new Map(layers.given);
  const put = (path: string, value: string): void => {
    given.set(path, { value, where: 'demo', folder: sources.workingFolder });
  };
  given.delete('jim.api_key_file');
  put('jim.url', sources.demo.url);
  put('jim.api_key', sources.demo.apiKey);
  return { given, faults: layers.faults };
}

type ReadFile = { readonly file: SettingsFile | null } | { readonly faults: readonly Fault[] };

/** A configuration is written by hand; a larger file is a wrong path. */
const MAX_FILE_BYTES = 1024 * 1024;

function readConfigFile(given: Given | null): ReadFile {
  if (given === null) return { file: null };
  const failed = (message: string): ReadFile => ({ faults: [{ where: given.where, message }] });
  if (typeof given.value !== 'string' || given.value === '') {
    return failed('must be the path of a file');
  }
  const name = given.value;
  const path = resolve(given.folder, name);
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    return failed(
      `${name} cannot be read (${whyUnreadable(cause)}); correct the path or its permissions`,
    );
  }
  if (bytes.length > MAX_FILE_BYTES) {
    return failed(`${name} is larger than ${MAX_FILE_BYTES} bytes, so it is no configuration`);
  }
  const parsed = parseYaml(bytes.toString('utf8'));
  if (!parsed.ok) {
    const faults = parsed.faults.map(({ line, message }) => ({
      where: line === null ? name : `${name}:${line}`,
      message,
    }));
    return { faults };
  }
  return {
    file: { name, folder: dirname(path), value: parsed.value, lineOf: (at) => parsed.lineOf(at) },
  };
}

const SECTIONS = ['jim', 'poll', 'collectors', 'storage', 'alerting'];
/** Sections that people look for in the file, since their flags look like it. */
const FLAG_SECTIONS = ['web', 'log'];

function checkTopLevel(root: Section): void {
  for (const name of FLAG_SECTIONS.filter((key) => root.keys.includes(key))) {
    root.fault(
      name,
      `is set by flags (--${name}.…) or variables (JIM_EXPORTER_${name.toUpperCase()}_…), not in this file; remove it`,
    );
  }
  root.only([...SECTIONS, ...FLAG_SECTIONS]);
}

function storageDefault({ workingFolder, demo }: ConfigSources): string {
  return resolve(workingFolder, demo?.storagePath ?? 'data');
}

function warningsOf(config: Config): Fault[] {
  const warnings: Fault[] = [];
  const warn = (where: string, message: string): void => {
    warnings.push({ where, message });
  };
  if (config.jim.url.startsWith('http://') && !isLoopback(config.jim.url)) {
    warn('jim.url', "is http://, so the API key, which is an Administrator's, travels unencrypted");
  }
  if (config.jim.tls.insecureSkipVerify) {
    warn('jim.tls_config.insecure_skip_verify', 'is on: anybody in between can read the API key');
  }
  for (const [i, alertmanager] of config.alerting.alertmanagers.entries()) {
    if (!alertmanager.tls.insecureSkipVerify) continue;
    warn(
      `alerting.alertmanagers[${i}].tls_config.insecure_skip_verify`,
      'is on: anybody in between can read the alerts',
    );
  }
  if (config.storage.path === null) {
    const alerts = config.alerting.alertmanagers.length > 0 ? ' and what alerts were firing' : '';
    warn('storage.path', `is empty: a restart forgets all counts${alerts}`);
  }
  return warnings;
}

function isLoopback(url: string): boolean {
  const host = new URL(url).hostname;
  return host === 'localhost' || host === '[::1]' || host.startsWith('127.');
}
