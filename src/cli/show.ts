/** `activities show ID`: all that JIM tells of one Activity. */
import type { ActivityId } from '../jim/activity.ts';
import { activityUrl } from '../jim/activity.ts';
import type { RunItem, RunStats, ItemText } from '../jim/wire.ts';
import type { ActivitiesOptions } from './activities-command.ts';
import { EXIT } from './activities-command.ts';
import { duration, plain } from './terminal.ts';

const PAGE_SIZE = 100;
/** Pages of items looked through for errors, which no filter finds: dear before JIM 0.14. */
const MAX_ITEM_PAGES = 10;
/** Items with errors that are named. */
const SHOWN_ITEMS = 10;
const SHOWN_CHILDREN = 10;

export async function show(
  id: ActivityId,
  { jim, print, complain, externalUrl }: ActivitiesOptions,
): Promise<number> {
  const told = await jim.detailWithText(id);
  if (told === 'not_found') {
    complain(`JIM has no Activity ${id}.`);
    return EXIT.unsuccessful;
  }
  const { detail, text } = told;
  const line = (name: string, value: string | null): void => {
    if (value !== null && value !== '') print(`${name.padEnd(18)}${plain(value)}`);
  };
  const moment = (micros: number): string => new Date(micros / 1_000).toISOString();
  line('Activity', detail.id);
  line('Status', detail.status);
  line('Why', detail.failureCause?.replaceAll('_', ' ') ?? null);
  line('Target', `${detail.targetType} ${detail.operation}`);
  line('Name', detail.targetName);
  line('Context', detail.targetContext);
  line('Run type', detail.runType === 'NotSet' ? null : detail.runType);
  line('Initiated by', text.initiatedByName);
  line('Schedule', detail.scheduleName);
  line('Created', moment(detail.created));
  line('Executed', detail.executed === null ? null : moment(detail.executed));
  line('Took', detail.executionTime === null ? null : duration(detail.executionTime / 1e6));
  line(
    'With waiting',
    detail.totalActivityTime === null ? null : duration(detail.totalActivityTime / 1e6),
  );
  line('Objects', `${detail.objectsProcessed} of ${detail.objectsToProcess}`);
  line('Message', text.message);
  line('Warning', text.warningMessage);
  line('Error', text.errorMessage);
  line('Page in JIM', activityUrl(externalUrl, detail.id));
  if (detail.stats !== null) {
    line('Statistics', statisticsOf(detail.stats));
    if (detail.stats.errors > 0) await showFailedItems(id, { jim, line, print });
  }
  await showChildren(id, { jim, line });
  return EXIT.done;
}

function statisticsOf({ processed, unchanged, errors, outcomes }: RunStats): string {
  const happened = Object.entries(outcomes).flatMap(([outcome, count]) =>
    count > 0 ? [`${count} ${outcome}`] : [],
  );
  return [
    `${processed} processed`,
    `${unchanged} unchanged`,
    `${errors} with errors`,
    ...happened,
  ].join(', ');
}

type Line = (name: string, value: string) => void;

/** Errors by type, and the first objects that have one. */
async function showFailedItems(
  id: ActivityId,
  { jim, line, print }: Pick<ActivitiesOptions, 'jim' | 'print'> & { readonly line: Line },
): Promise<void> {
  const failed: (RunItem & ItemText)[] = [];
  let looked = 0;
  let isWhole = false;
  for (let page = 1; page <= MAX_ITEM_PAGES && !isWhole; page += 1) {
    const items = await jim.itemsWithText(id, page, PAGE_SIZE);
    if (items === 'not_found') return;
    looked += items.rows.length;
    failed.push(...items.rows.filter(({ errorType }) => errorType !== null));
    isWhole = !items.hasNextPage;
  }
  const types = new Map<string, number>();
  for (const { errorType } of failed)
    types.set(errorType ?? '', (types.get(errorType ?? '') ?? 0) + 1);
  const counts = [...types].toSorted(([, a], [, b]) => b - a);
  const told = counts.map(([type, count]) => `${count} ${type}`).join(', ');
  line(
    'Errors by type',
    `${told === '' ? 'none' : told}${isWhole ? '' : ` (of the first ${looked} items)`}`,
  );
  for (const { errorType, objectType, externalId, displayName } of failed.slice(0, SHOWN_ITEMS)) {
    const parts = [errorType, objectType, externalId, displayName];
    print(`  ${plain(parts.filter((part) => part !== null).join('  '))}`);
  }
  if (failed.length > SHOWN_ITEMS) print(`  and ${failed.length - SHOWN_ITEMS} more`);
}

async function showChildren(
  id: ActivityId,
  { jim, line }: Pick<ActivitiesOptions, 'jim'> & { readonly line: Line },
): Promise<void> {
  const children = await jim.children(id);
  if (children === 'not_found') return;
  for (const child of children.slice(0, SHOWN_CHILDREN))
    line(
      'Child',
      `${child.status} ${child.targetType} ${child.operation} ${child.targetName ?? ''}`.trimEnd(),
    );
  if (children.length > SHOWN_CHILDREN)
    line('', `and ${children.length - SHOWN_CHILDREN} more children`);
}
