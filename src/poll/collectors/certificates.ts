/** When the certificates that JIM trusts expire. */
import type { Instant } from '../../jim/activity.ts';
import { admit, labelValue, nameAs } from '../../ledger/labels.ts';
import type { Collector } from './collector.ts';
import { allPages, nothingLacking } from './collector.ts';

export function createCertificates(): Collector {
  return {
    name: 'certificates',
    lacking: nothingLacking,
    needsKey: true,
    leavesAtOnce: false,
    collect: async ({ jim, call, move, nowMs, telemetry }) => {
      const rows = await allPages((page) => jim.certificates({ ...call, page }));
      const certificates = rows.flatMap(({ name, expiry }) =>
        expiry === null ? [] : [{ name: labelValue(name), expiry }],
      );
      let folded = 0;
      const { labels } = await move((ledger) => {
        const names = certificates.map(({ name }) => name);
        const admitted = admit(ledger.labels, 'certificates', names, nowMs());
        folded = admitted.newlyFolded;
        return admitted.admissions === ledger.labels
          ? ledger
          : { ...ledger, labels: admitted.admissions };
      });
      if (folded > 0) telemetry.labelSetsFolded(folded);
      const shown = ({ name, expiry }: { name: string; expiry: Instant }) => ({
        name: nameAs(labels, 'certificates', name),
        expiry,
      });
      return { certificates: certificates.map(shown) };
    },
  };
}
