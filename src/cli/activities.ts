/**
 * `jim-exporter activities list|show|watch`: JIM's record in a terminal, with the operator's own key. Here, and only
 * here, messages and names are shown.
 */
import { readId } from '../jim/row.ts';
import { RequestError } from '../request-error.ts';
import type { ActivitiesOptions } from './activities-command.ts';
import { EXIT } from './activities-command.ts';
import type { ActivitiesArguments } from './arguments.ts';
import { list } from './list.ts';
import { show } from './show.ts';
import { plain } from './terminal.ts';
import { watch } from './watch.ts';

/** Resolves with the exit code. Rejects only for a bug. */
export async function activities(
  asked: ActivitiesArguments,
  given: ActivitiesOptions,
): Promise<number> {
  // A sentence about a failure may tell what the server said.
  const options = { ...given, complain: (line: string) => given.complain(plain(line)) };
  const failed = asked.action === 'watch' ? EXIT.unknown : EXIT.unsuccessful;
  try {
    if (asked.action === 'list') return await list(asked.options, options);
    // JIM answers any other word with a web page.
    const id = readId(asked.id);
    if (id === null) {
      options.complain(
        `${asked.id} is no id of an Activity; activities list shows them in its last column.`,
      );
      return failed;
    }
    return asked.action === 'show' ? await show(id, options) : await watch(id, options);
  } catch (error) {
    if (!(error instanceof RequestError)) throw error;
    options.complain(error.message);
    return failed;
  }
}
