/**
 * The last step of `npm run build`: writes the revision and the date beside the compiled files. An image or package
 * built outside of the repository says them by REVISION and SOURCE_DATE_EPOCH (seconds; also for reproducible builds).
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { BUILD_STAMP } from './build-info.ts';

const epoch = process.env['SOURCE_DATE_EPOCH'];
const buildDate = epoch === undefined ? new Date() : new Date(Number(epoch) * 1000);
const revision = process.env['REVISION'] ?? revisionOfRepository();
writeFileSync(BUILD_STAMP, `${JSON.stringify({ revision, buildDate: buildDate.toISOString() })}\n`);

function revisionOfRepository(): string {
  try {
    const stdio: ['ignore', 'pipe', 'ignore'] = ['ignore', 'pipe', 'ignore'];
    const head = execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], { stdio });
    return head.toString().trim();
  } catch {
    return 'unknown';
  }
}
