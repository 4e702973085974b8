/** The runbook: a heading per alert and the other way round, and nothing named in it that does not exist. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CATALOGUE } from '../../src/metrics/catalogue.ts';
import { ALERTS, ALERTS_FOLDER, RECORDINGS } from './rules-file.ts';

const text = readFileSync(join(ALERTS_FOLDER, 'runbooks', 'jim.md'), 'utf8');
const BASE = 'https://github.com/jim-exporter/jim-exporter/blob/main/alerts/runbooks/jim.md';
const names = ALERTS.map(({ alert }) => alert);

const sections = new Map(
  text
    .split(/^### /m)
    .slice(1)
    .map((section) => {
      const end = section.indexOf('\n');
      return [section.slice(0, end).trim(), section.slice(end).split(/^## /m)[0] ?? ''] as const;
    }),
);

describe('the runbook', () => {
  test('has a heading for every alert, and an alert for every heading', () => {
    expect([...sections.keys()].toSorted()).toEqual(names.toSorted());
  });

  test.each(ALERTS)('is linked by $alert at its heading', ({ alert, annotations }) => {
    expect(annotations.runbook_url).toBe(`${BASE}#${alert.toLowerCase()}`);
  });

  test.each(ALERTS)(
    'says of $alert what it means, where to look, why, what to do, when to silence',
    (rule) => {
      const section = sections.get(rule.alert) ?? '';
      expect(section.trim()).toMatch(new RegExp(`^_${rule.labels.severity}\\._ \\S`));
      for (const part of ['Look first', 'Usual causes', 'What to do']) {
        expect(section, part).toMatch(new RegExp(`\\*\\*${part}\\*\\*\\n\\n- \\S`));
      }
      expect(section).toMatch(/\*\*When to silence:\*\* \S/);
    },
  );

  test('links only headings that exist', () => {
    const anchors = [...text.matchAll(/\]\(#(\w+)\)/g)].map(([, anchor]) => anchor ?? '');
    const known = names.map((name) => name.toLowerCase());
    expect(anchors.filter((anchor) => !known.includes(anchor))).toEqual([]);
  });

  test('names only metrics that exist', () => {
    const known = new Set([
      ...CATALOGUE.map(({ name }) => name),
      ...RECORDINGS.map(({ record }) => record),
      'jim:threshold:run_success_age_seconds',
      'jim:setting:external_url',
    ]);
    const named = text.match(/\bjim(?:_|:)[a-z0-9_:]+\b/g) ?? [];
    expect(named.length).toBeGreaterThan(50);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });

  test('names only dashboards and panels that exist', () => {
    const folder = join(ALERTS_FOLDER, '..', 'dashboards');
    const dashboards = readdirSync(folder)
      .filter((name) => name.endsWith('.json'))
      .map((name) => readFileSync(join(folder, name), 'utf8'))
      .join('\n');
    const titles = [
      ...[...text.matchAll(/[Pp]anels? _([^_]+)_(?: and _([^_]+)_)?/g)].flatMap(([, a, b]) => [
        a,
        b,
      ]),
      ...[...text.matchAll(/_(JIM \/ [^_]+)_/g)].map(([, title]) => title),
    ]
      .filter((title) => title !== undefined)
      .map((title) => title.replaceAll(/\s+/g, ' '));
    expect(titles.length).toBeGreaterThan(15);
    expect(
      titles.filter((title) => !dashboards.includes(`"title": ${JSON.stringify(title)}`)),
    ).toEqual([]);
  });

  test('names only commands and flags of the terminal client', () => {
    const commands = [
      ...text.matchAll(
        /jim-exporter ((?:activities )?[a-z-]+)((?: (?:--[a-z]+|ID|"[^"]*"|[\w<>]+))*)/g,
      ),
    ]
      .map(([, command, rest]) => ({ command, flags: rest?.match(/--[a-z]+/g) ?? [] }))
      .filter(({ command }) => command?.startsWith('activities ') || command === 'check-config');
    expect(commands.length).toBeGreaterThan(15);
    const flags: Readonly<Record<string, readonly string[]>> = {
      'activities list': [
        '--type',
        '--name',
        '--status',
        '--system',
        '--since',
        '--limit',
        '--output',
      ],
      'activities show': [],
      'activities watch': [],
      'check-config': ['--connect'],
    };
    for (const { command, flags: used } of commands) {
      expect(Object.keys(flags)).toContain(command);
      expect(used.filter((flag) => !flags[command ?? '']?.includes(flag))).toEqual([]);
    }
  });
});
