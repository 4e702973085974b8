/** A ledger as in the state file, without turns of the event loop. */
import { encodeLedger } from '../../src/ledger/encoding.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';

export async function bytesOf(ledger: Ledger): Promise<Buffer> {
  return Buffer.concat(await encodeLedger(ledger, async () => undefined));
}
