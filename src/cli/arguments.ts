/** The command line: what was typed → one command to do. Nothing is done or printed here. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { environmentName, FLAGS } from '../config/flags.ts';
import type { Flag, FlagName, FlagValues } from '../config/flags.ts';
import { didYouMean } from '../config/values.ts';

export type ParsedArguments =
  | { readonly command: 'serve' | 'demo' | 'test-alert'; readonly flags: FlagValues }
  | { readonly command: 'check-config'; readonly flags: FlagValues; readonly connect: boolean }
  | {
      readonly command: 'activities';
      readonly flags: FlagValues;
      readonly activities: ActivitiesArguments;
    }
  /** Help, the version, or a fault in what was typed. */
  | { readonly command: 'print'; readonly text: string; readonly exitCode: 0 | 1 };

/** As typed; the command itself judges the values. */
export type ActivitiesArguments =
  | { readonly action: 'list'; readonly options: Readonly<Partial<Record<ListOption, string>>> }
  | { readonly action: 'show' | 'watch'; readonly id: string };

const LIST_OPTIONS = {
  type: 'Only Activities of this target type, as ConnectedSystemRunProfile.',
  name: 'Only those whose target has this text in its name.',
  status: 'Only those of this status, as FailedWithError.',
  system: 'Only those of this connected system.',
  since: 'Only those created in this time, as 12h or 2d, or since this date.',
  limit: 'At most so many.',
  output: 'table, json or csv.',
} as const;
export type ListOption = keyof typeof LIST_OPTIONS;

/** `args` without the program's name; `version` is what --version prints. */
export function parseArguments(args: readonly string[], version: string): ParsedArguments {
  let printed = '';
  let parsed: ParsedArguments | null = null;
  const program = programOf(version, (command) => {
    parsed = command;
  });
  forEach(program, (command) => {
    command.exitOverride();
    command.configureOutput({
      writeOut: (text) => {
        printed += text;
      },
      writeErr: (text) => {
        printed += text;
      },
    });
  });
  try {
    program.parse(args, { from: 'user' });
    parsed = afterChecks(program, parsed);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { command: 'print', text: printed, exitCode: error.exitCode === 0 ? 0 : 1 };
  }
  return parsed ?? { command: 'print', text: program.helpInformation(), exitCode: 1 };
}

function programOf(version: string, done: (parsed: ParsedArguments) => void): Command {
  const program = new Command('jim-exporter')
    .description('Prometheus exporter and alerting bridge for JIM. Without a command it serves.')
    .version(version, '--version', 'Print the version and end.')
    .helpOption('--help', 'Print this and end.')
    .helpCommand(false)
    .showHelpAfterError('Try --help.')
    .addHelpText('after', ENVIRONMENT_HELP);
  for (const flag of FLAGS) for (const option of optionsOf(flag)) program.addOption(option);
  program.option('--config.check', 'Check the configuration and end, as check-config does.');
  program.addOption(new Option('--jim.api-key <KEY>').hideHelp());
  const flags = (): FlagValues => flagValues(program);

  program.allowExcessArguments().action(() => {
    const [unknown] = program.args;
    if (unknown !== undefined) program.error(unknownCommand(program, unknown));
    done({ command: 'serve', flags: flags() });
  });
  program
    .command('serve')
    .description('What it does without a command.')
    .action(() => done({ command: 'serve', flags: flags() }));
  program
    .command('demo')
    .description('Serve against an embedded JIM simulator; needs nothing.')
    .action(() => done({ command: 'demo', flags: flags() }));
  program
    .command('check-config')
    .description('Check the whole configuration, print all that is wrong, end with 0 or 1.')
    .option('--connect', 'Also ask JIM, and say what can be done there.')
    .action((options: { connect?: boolean }) =>
      done({ command: 'check-config', flags: flags(), connect: options.connect === true }),
    );
  program
    .command('test-alert')
    .description('Send a test alert to every Alertmanager of the configuration.')
    .action(() => done({ command: 'test-alert', flags: flags() }));
  addActivities(program, (activities) =>
    done({ command: 'activities', flags: flags(), activities }),
  );
  return program;
}

/** `--config.check` makes a check of what would serve; a key among the flags is refused without being repeated. */
function afterChecks(program: Command, parsed: ParsedArguments | null): ParsedArguments | null {
  const options = program.opts<Record<string, unknown>>();
  if (options['jim.apiKey'] !== undefined) {
    program.error(
      'error: --jim.api-key would show the key to every user of this machine; use --jim.api-key-file or the variable JIM_API_KEY',
    );
  }
  if (options['config.check'] !== true || parsed === null) return parsed;
  if (parsed.command === 'check-config') return parsed;
  if (parsed.command === 'serve') {
    return { command: 'check-config', flags: parsed.flags, connect: false };
  }
  return program.error(
    `error: --config.check does not go with ${parsed.command}; use check-config`,
  );
}

function unknownCommand(program: Command, word: string): string {
  const names = program.commands.map((command) => command.name());
  return `error: ${word} is no command${didYouMean(word, names)}`;
}

function addActivities(program: Command, done: (activities: ActivitiesArguments) => void): void {
  const group = program
    .command('activities')
    .description("JIM's Activities in the terminal.")
    .helpCommand(false);
  const list = group.command('list').description('The newest Activities.');
  for (const [name, help] of Object.entries(LIST_OPTIONS)) {
    list.addOption(once(new Option(`--${name} <value>`, help)));
  }
  list.action((options: Partial<Record<ListOption, string>>) => done({ action: 'list', options }));
  for (const [action, help] of [
    ['show', 'One Activity in detail.'],
    ['watch', 'Follow one Activity until it ends: 0 successful, 1 not, 2 cancelled, 3 unknown.'],
  ] as const) {
    group
      .command(`${action} <id>`)
      .description(help)
      .action((id: string) => done({ action, id }));
  }
}

const ENVIRONMENT_HELP = `
Every flag is also a variable: --web.listen-address is ${environmentName('web.listen-address')}.
JIM_URL and JIM_API_KEY_FILE are short for two of them; JIM_API_KEY holds the key itself.`;

function optionsOf(flag: Flag): Option[] {
  if (flag.kind === 'switch') {
    return [
      new Option(`--${flag.name}`, flag.help),
      new Option(`--no-${flag.name}`, 'The opposite.').hideHelp(),
    ];
  }
  const help = flag.default === null ? flag.help : `${flag.help} (default: ${flag.default})`;
  const option = new Option(`--${flag.name} <${flag.placeholder}>`, help);
  if (flag.kind === 'text') return [once(option)];
  return [
    option.argParser((value, earlier: readonly string[] | undefined) => [
      ...(earlier ?? []),
      value,
    ]),
  ];
}

/** A flag that takes one value contradicts itself when given two. */
function once(option: Option): Option {
  return option.argParser((value, earlier: string | undefined) => {
    if (earlier === undefined || earlier === value) return value;
    throw new InvalidArgumentError('It is given twice with different values.');
  });
}

/** Our names, since commander makes `web.listenAddress` of them. Its values are strings, booleans and our lists. */
function flagValues(program: Command): FlagValues {
  const values: Partial<Record<FlagName, string | readonly string[] | boolean>> = {};
  const given = program.opts<Record<string, string | readonly string[] | boolean | undefined>>();
  for (const flag of FLAGS) {
    const value = given[new Option(`--${flag.name}`).attributeName()];
    if (value !== undefined) values[flag.name] = value;
  }
  return values;
}

function forEach(command: Command, visit: (command: Command) => void): void {
  visit(command);
  for (const child of command.commands) forEach(child, visit);
}
