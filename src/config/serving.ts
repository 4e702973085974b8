/** What the process itself does: where it listens, what it logs, where it keeps its state. */
import type { ListenAddress, LogConfig, StorageConfig, WebConfig } from './config.ts';
import type { Section, Settings } from './settings.ts';
import {
  folderPath,
  listenAddress,
  oneOf,
  readableFile,
  telemetryPath,
  wholeNumber,
  yesNo,
} from './values.ts';
import type { Parser } from './values.ts';

/** `fallback`: the absolute path of the folder where none is set. */
export function storageOf(section: Section, fallback: string): StorageConfig {
  section.only(['path']);
  return { path: section.value('path', folderPath, fallback) };
}

export function webOf(settings: Settings): WebConfig {
  const section = settings.root.section('web');
  const config = section.section('config');
  return {
    listenAddresses: listenAddressesOf(section),
    telemetryPath: section.value('telemetry_path', telemetryPath, '/metrics'),
    configFile: config.value<string | null>('file', readableFile, null),
    maxRequests: section.value('max_requests', wholeNumber(0, 100_000), 40),
    disableExporterMetrics: section.value('disable_exporter_metrics', yesNo, false),
    enableLifecycle: section.value('enable_lifecycle', yesNo, false),
  };
}

const DEFAULT_ADDRESS: ListenAddress = { text: ':10190', host: null, port: 10190 };

function listenAddressesOf(section: Section): readonly ListenAddress[] {
  const addresses = section.value('listen_address', listOf(listenAddress), [DEFAULT_ADDRESS]);
  for (const [i, address] of addresses.entries()) {
    const twin = addresses.slice(0, i).find((earlier) => clash(earlier, address));
    if (twin === undefined) continue;
    section.fault(
      'listen_address',
      `${address.text} and ${twin.text} take the same port; keep one of them`,
    );
  }
  return addresses;
}

function clash(a: ListenAddress, b: ListenAddress): boolean {
  return (
    a.port !== 0 && a.port === b.port && (a.host === b.host || a.host === null || b.host === null)
  );
}

function listOf<T>(parser: Parser<T>): Parser<readonly T[]> {
  return (given, folder) => {
    const values: T[] = [];
    for (const item of Array.isArray(given) ? given : [given]) {
      const parsed = parser(item, folder);
      if ('fault' in parsed) return parsed;
      values.push(parsed.value);
    }
    return { value: values };
  };
}

export function logOf(section: Section): LogConfig {
  return {
    level: section.value('level', oneOf(['debug', 'info', 'warn', 'error']), 'info'),
    format: section.value('format', oneOf(['logfmt', 'json']), 'logfmt'),
  };
}
