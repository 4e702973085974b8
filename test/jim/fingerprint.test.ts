/** State files hold fingerprints: another way to write them would make every counted row seem altered after an update. */
import { expect, test } from 'vitest';
import { z } from 'zod';
import { fingerprintOf } from '../../src/jim/activity.ts';
import { readRows } from '../../src/jim/wire.ts';
import { recording } from './recordings.ts';

const LIST = z.object({ items: z.array(z.unknown()) });

test('a row has the fingerprint that it had in every version so far', () => {
  const { items } = LIST.parse(recording('0.14', 'list-desc-page-1.json'));
  const fingerprints = readRows(items).activities.slice(0, 6).map(fingerprintOf);
  expect(fingerprints).toEqual([
    '1atvm5rgiyi',
    '1z6oj9c5aj9',
    '2f44w1amxpi',
    '46sknols2e',
    '1issi95dk5z',
    'ecc3y502jf',
  ]);
});
