/** The routes of what JIM has: connected systems, run profiles, certificates, settings (jim-api, section 10). */
import { envelope, ok, type Answer } from './answers.ts';
import { pageAnswer, type Call, type Route, type RouteEntry } from './call.ts';
import type { Certificate, ConnectedSystem, RunProfile, ServiceSetting } from './inventory.ts';
import { writeDate, type Fields, type Json } from './json.ts';
import { bindPaging } from './query.ts';
import { MICROS_PER_SECOND } from './row.ts';

/** By name, as JIM sorts them. Its `status` is always Active here: the query does not select it. */
function connectedSystems(call: Call): Answer {
  const sorted = call.world.systems.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return pageAnswer(call, bindPaging(call.parameters, call.dialect), sorted, connectedSystem);
}

function connectedSystem(system: ConnectedSystem, call: Call): Fields {
  return {
    id: system.id,
    name: system.name,
    description: null,
    created: writeDate(system.created, call.dates),
    status: 'Active',
    objectCount: system.objectCount,
    connectorsCount: system.joinedCount,
    pendingExportObjectsCount: system.pendingExports,
    connectorName: system.connectorName,
    connectorId: system.connectorId,
  };
}

function withSystem(answer: (system: ConnectedSystem, call: Call) => Json): Route {
  return (call) => {
    const id = Number(call.param('system'));
    const system = call.world.systems.find((candidate) => candidate.id === id);
    return system === undefined
      ? envelope(404, 'NOT_FOUND', `Connected System with ID ${id} not found.`, call.world.jimNow)
      : ok(answer(system, call));
  };
}

function runProfile(profile: RunProfile, system: ConnectedSystem, call: Call): Fields {
  const readsFile = /Import|Export/.test(profile.runType);
  return {
    id: profile.id,
    name: profile.name,
    connectedSystemId: system.id,
    runType: profile.runType,
    pageSize: 100,
    partitionName: null,
    ...(call.dialect.scheduleFields ? { targetsDeselectedPartition: false } : {}),
    filePath: readsFile ? `/connector-files/${system.id}.csv` : null,
    ...(call.dialect.importHashes ? { verifyImportContentHashes: false } : {}),
  };
}

function certificates(call: Call): Answer {
  const paging = bindPaging(call.parameters, call.dialect);
  return pageAnswer(call, paging, call.world.certificates, certificate);
}

const DAY = 86_400 * MICROS_PER_SECOND;
const EXPIRES_SOON = 30 * DAY;

function certificate(value: Certificate, call: Call): Fields {
  const left = value.validTo - call.world.jimNow;
  return {
    id: value.id,
    name: value.name,
    thumbprint: value.id.replaceAll('-', '').toUpperCase(),
    subject: `CN=${value.name}`,
    issuer: 'CN=Example Root CA',
    validFrom: writeDate(value.validFrom, call.dates),
    validTo: writeDate(value.validTo, call.dates),
    sourceType: 'Uploaded',
    isEnabled: value.isEnabled,
    isExpired: left < 0,
    isExpiringSoon: left >= 0 && left < EXPIRES_SOON,
    daysUntilExpiry: Math.trunc(left / DAY),
  };
}

function serviceSetting(setting: ServiceSetting): Fields {
  return {
    key: setting.key,
    displayName: setting.displayName,
    description: null,
    category: setting.category,
    valueType: setting.valueType,
    defaultValue: setting.defaultValue,
    value: setting.value,
    effectiveValue: setting.value ?? setting.defaultValue,
    isReadOnly: false,
    isOverridden: setting.value !== null,
  };
}

function oneSetting(call: Call): Answer {
  const key = call.param('key');
  const found = call.world.settings.find((setting) => setting.key === key);
  return found === undefined
    ? envelope(404, '', `Service setting not found: ${key}`, call.world.jimNow)
    : ok(serviceSetting(found));
}

const SYSTEM = ':system{[0-9]+}';

export const inventoryRoutes: readonly RouteEntry[] = [
  { path: '/synchronisation/connected-systems', answer: connectedSystems },
  {
    path: `/synchronisation/connected-systems/${SYSTEM}/run-profiles`,
    answer: withSystem((system, call) =>
      system.runProfiles.map((profile) => runProfile(profile, system, call)),
    ),
  },
  {
    path: `/synchronisation/connected-systems/${SYSTEM}/pending-exports/count`,
    answer: withSystem((system) => system.pendingExports),
    isKnown: (dialect) => dialect.pendingExportsCount,
  },
  { path: '/certificates', answer: certificates },
  {
    path: '/service-settings',
    answer: ({ world }) => ok(world.settings.map((setting) => serviceSetting(setting))),
    isKnown: (dialect) => dialect.serviceSettings,
  },
  {
    path: '/service-settings/:key',
    answer: oneSetting,
    isKnown: (dialect) => dialect.serviceSettings,
  },
];
