/** The pieces that the sections of the status page are made of. */
import { html } from 'hono/html';
import type { Count } from './page-view.ts';
import type { Look } from './page-words.ts';
import { lookOf, moment, number } from './page-words.ts';

export type Markup = ReturnType<typeof html>;

export const NOTHING = html``;

export function when(atMs: number, words: string): Markup {
  return html`<time datetime="${new Date(atMs).toISOString()}"
    >${words} <span class="sub">${moment(atMs)}</span></time
  >`;
}

/** @param names `#` before a name: a column of numbers. */
export function columns(names: readonly string[]): Markup {
  return html`<thead role="rowgroup">
    <tr role="row">
      ${names.map((name) => {
        const isNumeric = name.startsWith('#');
        return html`<th role="columnheader" scope="col" class="${isNumeric ? 'n' : ''}">
          ${isNumeric ? name.slice(1) : name}
        </th>`;
      })}
    </tr>
  </thead>`;
}

/** @param content null where there is nothing to tell: a dash in a column, left out on a phone. */
export function cell(name: string, content: Markup | null, className = ''): Markup {
  return content === null
    ? html`<td role="cell" class="empty ${className}">–</td>`
    : html`<td role="cell" class="${className}" data-label="${name}">${content}</td>`;
}

export function status(word: string, link: string | null, look: Look = lookOf(word)): Markup {
  const text = html`<span aria-hidden="true">${look.shape}</span> ${word}`;
  return link === null
    ? html`<span class="state ${look.className}">${text}</span>`
    : html`<a class="state ${look.className}" href="${link}">${text}</a>`;
}

export function counts(all: readonly Count[]): Markup {
  return html`<ul>
    ${all.map(({ word, count }) => html`<li>${number(count)} ${word}</li>`)}
  </ul>`;
}
