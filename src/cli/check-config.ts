/** `jim-exporter check-config`: everything that is wrong, before it matters. */
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Config } from '../config/config.ts';
import { formatFault } from '../config/load.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { Fault } from '../config/settings.ts';
import { whyUnreadable } from '../config/secret.ts';
import { readWebConfig } from '../web/web-config.ts';

export interface CheckOptions {
  readonly loaded: LoadedConfig;
  /** Asks JIM and prints what can be done there; resolves to whether all is well. Null where that was not asked for. */
  readonly connect: ((config: Config) => Promise<boolean>) | null;
  /** Lines for the person who asked, and lines that say what is wrong. */
  readonly print: (line: string) => void;
  readonly complain: (line: string) => void;
}

/** The exit code: 0 where all is well, else 1. */
export async function checkConfig(options: CheckOptions): Promise<0 | 1> {
  const { loaded, connect, print, complain } = options;
  const faults = loaded.ok ? faultsAround(loaded.config) : loaded.faults;
  for (const fault of faults) complain(formatFault(fault));
  if (!loaded.ok || faults.length > 0) {
    complain(faults.length === 1 ? '1 fault.' : `${faults.length} faults.`);
    return 1;
  }
  for (const line of summaryOf(loaded.config)) print(line);
  for (const warning of loaded.warnings) print(`warning: ${formatFault(warning)}`);
  if (connect === null) return 0;
  return (await connect(loaded.config)) ? 0 : 1;
}

/** What the configuration alone does not show: the files and folders it names. */
function faultsAround(config: Config): readonly Fault[] {
  const { configFile } = config.web;
  const web = configFile === null ? null : readWebConfig(configFile);
  return [...(web === null || web.ok ? [] : web.faults), ...storageFaults(config.storage.path)];
}

/** The folder may be missing, if it can be made: then the nearest that exists has to be writable. */
function storageFaults(path: string | null): readonly Fault[] {
  if (path === null) return [];
  let folder = path;
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  const fault = (message: string): readonly Fault[] => [{ where: 'storage.path', message }];
  if (!statSync(folder).isDirectory()) return fault(`${folder} is no folder; choose another path`);
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return [];
  } catch (cause) {
    return fault(
      `${folder} cannot be written (${whyUnreadable(cause)}); correct the path or its permissions`,
    );
  }
}

function summaryOf(config: Config): readonly string[] {
  const { jim, storage, web, alerting } = config;
  const key =
    jim.apiKey.file === null ? 'a key from the configuration' : `the key in ${jim.apiKey.file}`;
  const addresses = web.listenAddresses.map(({ text }) => text).join(', ');
  const alertmanagers = alerting.alertmanagers.map(({ url }) => url).join(', ');
  return [
    'The configuration is good.',
    `  JIM:            ${jim.url}, with ${key}`,
    `  state:          ${storage.path ?? 'nowhere'}`,
    `  listening on:   ${addresses}${web.configFile === null ? '' : `, as ${web.configFile} says`}`,
    `  Alertmanagers:  ${alertmanagers === '' ? 'none' : alertmanagers}`,
  ];
}
