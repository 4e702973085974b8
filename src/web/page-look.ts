/**
 * How the status page looks and keeps itself fresh: one style, one script, and the Content-Security-Policy
 * that allows exactly these two by their hashes.
 */
import { createHash } from 'node:crypto';

/** Between two looks of an open page. */
export const REFRESH_SECONDS = 15;

const LIGHT =
  '--ink:#1b1f24;--soft:#4d5761;--back:#fff;--card:#f5f7f9;--line:#cfd6dd;--good:#12662c;--good-back:#e5f4e9;--warn:#6f4600;--warn-back:#fdf1d8;--bad:#a2150f;--bad-back:#fdeae8;--link:#0b5394';
const DARK =
  '--ink:#e8ebee;--soft:#b3bcc5;--back:#14171a;--card:#1c2126;--line:#3a424a;--good:#7fdb99;--good-back:#15301d;--warn:#ffc766;--warn-back:#382a0d;--bad:#ffa099;--bad-back:#431a18;--link:#8cc4ff';

export const STYLE = `:root{color-scheme:light dark;${LIGHT}}
@media(prefers-color-scheme:dark){:root{${DARK}}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:78rem;padding:1rem;font:16px/1.45 system-ui,sans-serif;color:var(--ink);background:var(--back)}
a{color:var(--link)}a:focus-visible,input:focus-visible,[tabindex]:focus-visible{outline:3px solid var(--link);outline-offset:2px}
h1{overflow-wrap:anywhere;font-size:1.35rem;line-height:1.3;margin:0}h2{font-size:1.1rem;margin:1.8rem 0 .5rem}p{margin:.3rem 0}ul{margin:0;padding:0;list-style:none}
.soft{color:var(--soft)}.small{font-size:.85rem}.only-heard{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.good{color:var(--good);background:var(--good-back)}.warn{color:var(--warn);background:var(--warn-back)}.bad{color:var(--bad);background:var(--bad-back)}.none{color:var(--soft);background:var(--card)}
.head{padding:.8rem 1rem;border-left:.5rem solid currentColor;border-radius:.4rem}.head p{color:var(--ink)}
.failures{display:grid;gap:.5rem}.failures li{padding:.45rem .8rem;border-left:.35rem solid currentColor;border-radius:.3rem;overflow-wrap:anywhere}.failures li>:not(.state){color:var(--ink)}.failures .state{margin:0 .4rem;background:var(--back)}.failures time .sub{display:inline;margin-left:.3rem}
.warnings{margin-top:.8rem;padding:.6rem 1rem;border-radius:.4rem}.warnings li{margin:.15rem 0}
.tally{display:flex;flex-wrap:wrap;gap:.5rem;margin-top:.6rem}.tally .state{background:var(--back)}.empty{color:var(--soft)}
.state{max-width:100%;overflow-wrap:break-word;display:inline-block;padding:.05rem .5rem;border-radius:1rem;font-weight:600;border:1px solid currentColor}
a.state{text-decoration:none}td .sub{max-width:16rem}a.state:hover{text-decoration:underline}
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.45rem .6rem;border-bottom:1px solid var(--line);font-weight:400;overflow-wrap:anywhere}
thead th{font-size:.85rem;font-weight:600;color:var(--soft);white-space:nowrap}tbody th strong{display:block}.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.sub{display:block;color:var(--soft);font-size:.85rem}.wide{min-width:9rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.2rem;margin:0}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
progress{width:100%;max-width:18rem;height:.9rem;accent-color:var(--link)}
progress[value]{appearance:none;border:1px solid var(--soft);border-radius:.45rem;overflow:hidden;background:var(--card)}progress::-webkit-progress-bar{background:var(--card)}progress::-webkit-progress-value{background:var(--link)}progress::-moz-progress-bar{background:var(--link)}
footer{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;margin-top:2rem;padding-top:.6rem;border-top:1px solid var(--line)}footer label{margin-right:auto}[hidden]{display:none}
@media(max-width:54rem){table,tbody,tr,th,td{display:block}thead{position:absolute;clip-path:inset(50%);width:1px;height:1px;overflow:hidden}
tr{border:1px solid var(--line);border-radius:.4rem;margin:0 0 .7rem;padding:.4rem .2rem}th,td{border:0;padding:.15rem .6rem}
td{display:grid;grid-template-columns:7.5rem minmax(0,1fr)}.state{white-space:normal;overflow-wrap:anywhere;border-radius:.8rem}td::before{content:attr(data-label);color:var(--soft)}td.empty{display:none}time .sub{display:inline;margin-left:.4rem}.n{text-align:left;white-space:normal}
td>*{justify-self:start}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.6rem}}`;

/**
 * Renews the page in place, so that a reader keeps place, focus and selection, and a wall screen outlives our
 * restarts (a reload would end at the browser's error page). A screen reader hears of it only when the title
 * changes. Without script the page reloads itself.
 */
export const SCRIPT = `const byId = (id) => document.getElementById(id);
const [box, told, lost] = [byId('auto'), byId('told'), byId('lost')];
box.parentElement.hidden = false;
async function renew() {
  if (!box.checked || document.hidden || String(getSelection()) !== '') return;
  try {
    const answer = await fetch(location.pathname, { cache: 'no-store', signal: AbortSignal.timeout(10000) });
    if (!answer.ok) throw new Error(answer.statusText);
    const next = new DOMParser().parseFromString(await answer.text(), 'text/html');
    if (next.documentElement.dataset.version !== document.documentElement.dataset.version) return location.reload();
    const focused = document.activeElement?.getAttribute('href');
    byId('view').replaceWith(document.adoptNode(next.getElementById('view')));
    if (focused) [...byId('view').querySelectorAll('a')].find((a) => a.getAttribute('href') === focused)?.focus({ preventScroll: true });
    if (document.title !== next.title) told.textContent = document.title = next.title;
    lost.hidden = true;
  } catch {
    lost.hidden = false;
  }
}
setInterval(renew, ${REFRESH_SECONDS * 1_000});
document.addEventListener('visibilitychange', renew);`;

export const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  `style-src ${sourceOf(STYLE)}`,
  `script-src ${sourceOf(SCRIPT)}`,
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

function sourceOf(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}
