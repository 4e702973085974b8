/** Schedules in six fields (second, minute, hour, day, month, weekday). The only place that knows node-cron. */
import { validateDetailed } from 'node-cron';

const FIELDS: Readonly<Record<string, string>> = {
  dayOfMonth: 'day of the month',
  dayOfWeek: 'weekday',
};

/** What is wrong with a schedule of six fields, as the rest of a sentence; null where nothing is. */
export function scheduleFault(expression: string): string | null {
  const { valid, errors } = validateDetailed(expression);
  if (valid) return null;
  const parts = errors.map(({ field, value }) => `${FIELDS[field] ?? field} "${value ?? ''}"`);
  return `it cannot have ${parts.join(' and ')}`;
}
