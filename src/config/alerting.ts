/** The `alerting` section: where the bridge sends, what fires, and under which labels. */
import { readCredentials, readTls } from './client-settings.ts';
import type { AlertingConfig, AlertingStatus, AlertmanagerConfig } from './config.ts';
import type { Secret } from './secret.ts';
import type { Section, Settings } from './settings.ts';
import { didYouMean, duration, httpUrl, proxyUrl, text, yesNo } from './values.ts';

export function alertingOf(settings: Settings): AlertingConfig {
  const section = settings.root
    .section('alerting')
    .only([
      'alertmanagers',
      'severities',
      'resend_interval',
      'resolve_after',
      'include_error_message',
      'labels',
    ]);
  const alerting: AlertingConfig = {
    alertmanagers: section
      .sections('alertmanagers')
      .map((alertmanager) => alertmanagerOf(settings, alertmanager)),
    severities: severitiesOf(section),
    resendIntervalMs: section.value('resend_interval', duration('1s', '1h'), 60_000),
    resolveAfterMs: section.value<number | null>('resolve_after', duration('1s', '10y'), null),
    includeErrorMessage: section.value('include_error_message', yesNo, false),
    labels: labelsOf(section),
  };
  checkAlertmanagers(section, alerting);
  return alerting;
}

function alertmanagerOf(settings: Settings, section: Section): AlertmanagerConfig {
  section.only(['url', 'timeout', 'basic_auth', 'authorization', 'tls_config', 'proxy_url']);
  const url = section.required(
    'url',
    httpUrl({ notBelow: '/api/v2' }),
    '',
    'write the address of the Alertmanager, as http://alertmanager:9093',
  );
  return {
    url,
    timeoutMs: section.value('timeout', duration('1ms', '10m'), 10_000),
    ...readCredentials(settings, section),
    tls: readTls(settings, section, url),
    proxyUrl: section.value<Secret | null>('proxy_url', proxyUrl, null),
  };
}

function checkAlertmanagers(section: Section, alerting: AlertingConfig): void {
  const urls = alerting.alertmanagers.map(({ url }) => url);
  for (const twin of new Set(urls.filter((url, i) => url !== '' && urls.indexOf(url) < i))) {
    section.fault('alertmanagers', `names ${twin} twice; keep one of them`);
  }
  const isEmpty = section.isSet('severities') && section.section('severities').keys.length === 0;
  if (urls.length > 0 && isEmpty) {
    section.fault(
      'severities',
      'is empty, so no alert could ever fire; name a status, or remove alertmanagers',
    );
  }
}

const DEFAULT_SEVERITIES: AlertingConfig['severities'] = {
  FailedWithError: 'critical',
  CompleteWithError: 'warning',
};
const ALERTING_STATUSES = Object.keys({
  CompleteWithWarning: true,
  CompleteWithError: true,
  FailedWithError: true,
  Cancelled: true,
} satisfies Record<AlertingStatus, true>);

/** What is written replaces the default as a whole: only so can a status be left out. */
function severitiesOf(alerting: Section): AlertingConfig['severities'] {
  if (!alerting.isSet('severities')) return DEFAULT_SEVERITIES;
  const section = alerting.section('severities');
  const severities: Partial<Record<AlertingStatus, string>> = {};
  for (const status of section.keys) {
    if (isAlertingStatus(status)) severities[status] = section.value(status, text, '');
    else section.fault(status, wrongStatus(status));
  }
  return severities;
}

function isAlertingStatus(status: string): status is AlertingStatus {
  return ALERTING_STATUSES.includes(status);
}

function wrongStatus(status: string): string {
  if (status === 'Complete') return 'is what resolves an alert and cannot fire one; remove it';
  return `is no status that can fire an alert${didYouMean(status, ALERTING_STATUSES) || `; those are ${ALERTING_STATUSES.join(', ')}`}`;
}

/** The bridge sets these itself; a static label of the same name would change an alert's identity. */
const RESERVED_LABELS = [
  'alertname',
  'severity',
  'jim',
  'connected_system',
  'run_profile',
  'run_type',
];

function labelsOf(alerting: Section): Readonly<Record<string, string>> {
  if (!alerting.isSet('labels')) return { source: 'jim-exporter' };
  const section = alerting.section('labels');
  const labels: [string, string][] = [];
  for (const name of section.keys) {
    if (RESERVED_LABELS.includes(name))
      section.fault(name, 'is set by the exporter itself; choose another name');
    else if (!/^(?!__)[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) {
      section.fault(
        name,
        'is no name of a label; use letters, digits and _, and no digit or __ at its start',
      );
    } else labels.push([name, section.value(name, text, '')]);
  }
  return Object.fromEntries(labels);
}
