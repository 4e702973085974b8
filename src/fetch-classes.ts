/**
 * Hono and undici ask for Node's `Request`, `Response` and `Headers`, which Node loads only then: an undici of its
 * own, some 3 MB and 20 ms more at each start. We have one, so its classes take their place. `main.ts` imports this
 * before all else; whoever uses the exporter as a library keeps what Node has.
 */
// oxlint-disable-next-line import/no-unassigned-import -- it works by being the first
import './without-node-fetch.ts';
import { fetch, FormData, Headers, Request, Response } from 'undici';

Object.assign(globalThis, { fetch, FormData, Headers, Request, Response });
