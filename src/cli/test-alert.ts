/** `jim-exporter test-alert`: one marked alert to every configured Alertmanager, and what each of them answered. */

/** What this command needs of an Alertmanager; `src/alertmanager/client.ts` has it. */
export interface TestedAlertmanager {
  /** host:port. */
  readonly name: string;
  send(
    alerts: readonly TestAlert[],
    signal: AbortSignal,
  ): Promise<{ readonly kind: string; readonly why?: string }>;
}

interface TestAlert {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly generatorURL: string;
  readonly startsAt: string;
  readonly endsAt: string;
}

export interface TestAlertOptions {
  readonly alertmanagers: readonly TestedAlertmanager[];
  /** The static labels of the configuration, so that routes treat it as they would a real one. */
  readonly labels: Readonly<Record<string, string>>;
  /** Its `severity` label: one that the configuration uses, so that the route is the real one. */
  readonly severity: string;
  /** JIM's address as people click it. */
  readonly externalUrl: string;
  readonly nowMs: number;
  readonly signal: AbortSignal;
  /** Gets whole lines. */
  readonly print: (line: string) => void;
}

/** Never the name of a real alert, so that no route or silence for real ones is fooled by name. */
const TEST_ALERT_NAME = 'JimExporterTest';
/** Long enough for group_wait and group_interval to pass, so that its end is notified too. */
const TEST_ALERT_MS = 10 * 60_000;

/** Sends and prints; resolves with the exit code: 0 when every Alertmanager accepted, else 1. */
export async function testAlert(options: TestAlertOptions): Promise<0 | 1> {
  const { alertmanagers, print, signal } = options;
  if (alertmanagers.length === 0) {
    print('No Alertmanager is configured. Name one under alerting.alertmanagers:');
    print('  alerting: { alertmanagers: [{ url: http://alertmanager:9093 }] }');
    return 1;
  }
  const alert = buildTestAlert(options);
  print(`Sending ${TEST_ALERT_NAME}, which ends at ${alert.endsAt}, with the labels`);
  for (const [name, value] of Object.entries(alert.labels)) print(`  ${name}=${quoted(value)}`);
  const answers = await Promise.all(
    alertmanagers.map(async (alertmanager) => ({
      name: alertmanager.name,
      answer: await alertmanager.send([alert], signal),
    })),
  );
  for (const { name, answer } of answers) {
    const isAccepted = answer.kind === 'accepted';
    print(`${name}: ${isAccepted ? 'accepted' : `not accepted. ${answer.why ?? ''}`.trimEnd()}`);
  }
  const accepted = answers.filter(({ answer }) => answer.kind === 'accepted').length;
  print(`${accepted} of ${answers.length} accepted the test alert.`);
  if (accepted > 0) print('Whom it notifies is decided by the routes of Alertmanager.');
  return accepted === answers.length ? 0 : 1;
}

function buildTestAlert(options: TestAlertOptions): TestAlert {
  const { labels, severity, externalUrl, nowMs } = options;
  return {
    labels: {
      ...labels,
      alertname: TEST_ALERT_NAME,
      jim: new URL(externalUrl).host,
      severity,
      test: 'true',
    },
    annotations: {
      summary: 'Test of the way from jim-exporter to you: nothing is wrong',
      description: `Sent by "jim-exporter test-alert". It ends by itself in ${TEST_ALERT_MS / 60_000} minutes.`,
    },
    generatorURL: externalUrl,
    startsAt: new Date(nowMs).toISOString(),
    endsAt: new Date(nowMs + TEST_ALERT_MS).toISOString(),
  };
}

/** As in a label matcher; a static label may hold anything. */
function quoted(value: string): string {
  return JSON.stringify(value);
}
