import { expect, test } from 'vitest';
import type { Verdict } from '../../src/alertmanager/client.ts';
import { faultOf } from '../../src/alertmanager/wire.ts';
import type { WireAlert } from '../../src/alertmanager/wire.ts';
import { testAlert } from '../../src/cli/test-alert.ts';

const ACCEPTED: Verdict = { kind: 'accepted', dateMs: null };

async function run(
  answers: Readonly<Record<string, Verdict>>,
): Promise<{ exitCode: number; lines: readonly string[]; sent: readonly WireAlert[] }> {
  const lines: string[] = [];
  const sent: WireAlert[] = [];
  const exitCode = await testAlert({
    alertmanagers: Object.entries(answers).map(([name, verdict]) => ({
      name,
      send: async (alerts) => {
        sent.push(...alerts);
        return verdict;
      },
    })),
    labels: { source: 'jim-exporter', team: 'a "quoted" one' },
    severity: 'critical',
    externalUrl: 'https://jim.example:8443/identity',
    nowMs: Date.UTC(2026, 10, 23, 6),
    signal: new AbortController().signal,
    print: (line) => lines.push(line),
  });
  return { exitCode, lines, sent };
}

test('prints what was sent and what each Alertmanager answered', async () => {
  const { exitCode, lines } = await run({
    'am1:9093': ACCEPTED,
    'am2:9093': {
      kind: 'retry',
      why: 'POST http://am2:9093 failed: no route.',
      retryAfterMs: null,
    },
  });
  expect(exitCode).toBe(1);
  expect(lines).toEqual([
    'Sending JimExporterTest, which ends at 2026-11-23T06:10:00.000Z, with the labels',
    '  source="jim-exporter"',
    '  team="a \\"quoted\\" one"',
    '  alertname="JimExporterTest"',
    '  jim="jim.example:8443"',
    '  severity="critical"',
    '  test="true"',
    'am1:9093: accepted',
    'am2:9093: not accepted. POST http://am2:9093 failed: no route.',
    '1 of 2 accepted the test alert.',
    'Whom it notifies is decided by the routes of Alertmanager.',
  ]);
});

test('exits with 0 when all accepted', async () => {
  expect((await run({ 'am:9093': ACCEPTED })).exitCode).toBe(0);
});

test('sends an alert that says it is a test, never under the name of a real one, and that ends by itself', async () => {
  const { sent } = await run({ 'am:9093': ACCEPTED });
  expect(sent).toEqual([
    {
      labels: {
        source: 'jim-exporter',
        team: 'a "quoted" one',
        alertname: 'JimExporterTest',
        jim: 'jim.example:8443',
        severity: 'critical',
        test: 'true',
      },
      annotations: {
        summary: 'Test of the way from jim-exporter to you: nothing is wrong',
        description: 'Sent by "jim-exporter test-alert". It ends by itself in 10 minutes.',
      },
      generatorURL: 'https://jim.example:8443/identity',
      startsAt: '2026-11-23T06:00:00.000Z',
      endsAt: '2026-11-23T06:10:00.000Z',
    },
  ]);
  for (const { labels, annotations, generatorURL } of sent)
    expect(faultOf({ labels, annotations, generatorUrl: generatorURL })).toBeNull();
});

test('says what to configure where no Alertmanager is', async () => {
  const { exitCode, lines } = await run({});
  expect(exitCode).toBe(1);
  expect(lines).toEqual([
    'No Alertmanager is configured. Name one under alerting.alertmanagers:',
    '  alerting: { alertmanagers: [{ url: http://alertmanager:9093 }] }',
  ]);
});
