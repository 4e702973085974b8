/**
 * JIM's REST API over a world: who may ask, what a version knows, what it answers. A request first lets the
 * world live until now; faults may then strike; the rest is a Hono app whose routes stand in lists beside it.
 */
import { Hono, type Context } from 'hono';
import { activityRoutes, healthRoutes } from './activity-routes.ts';
import {
  blankBody,
  empty,
  envelope,
  forbidden,
  html,
  ok,
  okText,
  problem,
  signIn,
  toReply,
  toResponse,
  tooManyRequests,
  unauthorized,
  type Answer,
  type Reply,
} from './answers.ts';
import { traceId, type Call, type Quirks } from './call.ts';
import { dialectNamed, type Dialect, type DialectName } from './dialects.ts';
import {
  createFaults,
  damageRow,
  type ErrorBody,
  type Fault,
  type FaultPlan,
  type SimulatedRequest,
} from './faults.ts';
import type { ApiKey } from './inventory.ts';
import { inventoryRoutes } from './inventory-routes.ts';
import { parametersOf } from './query.ts';
import { hash32 } from './random.ts';
import { createRateLimiter, RETRY_AFTER_SECONDS } from './rate-limit.ts';
import { authenticationRow, MICROS_PER_MS } from './row.ts';
import { workRoutes } from './work-routes.ts';
import type { World } from './world.ts';

export interface SimulatorOptions {
  readonly world: World;
  /** Our clock: each request lets the world live until then. */
  readonly now: () => number;
  /** Serves as this version, whatever the world's is. */
  readonly dialect?: DialectName;
  readonly faults?: FaultPlan;
  readonly quirks?: Quirks;
}

/** What becomes of a request: an answer, or something that only a connection can express. */
export type Served =
  | { readonly kind: 'answer'; readonly reply: Reply; readonly delayMs: number }
  | { readonly kind: 'truncated'; readonly reply: Reply; readonly bytes: number | null }
  /** So many bytes in the place of the reply's body. */
  | { readonly kind: 'oversized'; readonly reply: Reply; readonly bytes: number }
  | { readonly kind: 'refused' }
  | { readonly kind: 'reset' }
  | { readonly kind: 'hung' };

/** What a request brings along through Hono. */
interface Bindings {
  readonly url: URL;
  /** What the route answered: left here, it need not be read out of a Response again. */
  reply: Reply | null;
}

type AppContext = Context<{ Bindings: Bindings }>;

/** What routes give to Hono; the reply itself was left in the bindings. */
const REPLIED = new Response(null);

export interface Simulator {
  readonly world: World;
  readonly faults: FaultPlan;
  /** May be changed between requests. */
  quirks: Quirks;
  /** For answers alone; throws where the fault is one of the connection. */
  fetch(request: Request): Promise<Response>;
  serve(request: Request): Promise<Served>;
  /** Called before each request is served, so that tests can change the world between two. Returns the way out. */
  onRequest(callback: (request: SimulatedRequest) => void): () => void;
  /** Requests served so far. */
  readonly requestCount: number;
}

/** More than the 16 MiB that a client should bear. */
const OVERSIZED_BYTES = 17 * 1024 * 1024;
const KEY_PREFIX_LENGTH = 12;
const REFUSALS_FOLDED_MS = 15 * 60_000;

export function createSimulator(options: SimulatorOptions): Simulator {
  const { world } = options;
  const faults = options.faults ?? createFaults();
  const limiter = createRateLimiter();
  const refusedAtMs = new Map<string, number>();
  const hooks = new Set<(request: SimulatedRequest) => void>();
  let requestCount = 0;

  const dialect = (): Dialect =>
    options.dialect === undefined ? world.dialect : dialectNamed(options.dialect);

  const dressed = (answer: Answer): Reply => {
    const { proxyDateOffsetMs } = simulator.quirks;
    const date =
      proxyDateOffsetMs === undefined
        ? world.jimNow
        : (world.nowMs + proxyDateOffsetMs) * MICROS_PER_MS;
    return toReply(answer, dialect(), date);
  };

  const send = (context: AppContext, answer: Answer): Response => {
    context.env.reply = dressed(answer);
    return REPLIED;
  };

  const callOf = (context: AppContext): Call => ({
    world,
    dialect: dialect(),
    quirks: simulator.quirks,
    dates: simulator.quirks.dates ?? 'offset',
    parameters: parametersOf(context.env.url.searchParams),
    seed: hash32(`${world.nowMs}/${requestCount}`),
    param: (name) => context.req.param(name) ?? '',
  });

  /** Authentication, then JIM's rate limit, then authorisation; null lets the request through. */
  const refusal = (key: string | undefined): Answer | null => {
    const known = knownKey(key);
    const limited = rateRefusal(known);
    if (limited !== null) return limited;
    if (known !== null) return known.role === 'Administrator' ? null : forbidden();
    if (key !== undefined && dialect().authenticationActivities) recordRefusedKey(key);
    return unauthorized(world.random.hex(16));
  };

  const knownKey = (key: string | undefined): ApiKey | null =>
    world.apiKeys.find((candidate) => candidate.key === key) ?? null;

  const rateRefusal = (known: ApiKey | null): Answer | null => {
    if (!dialect().rateLimit || simulator.quirks.rateLimit === false) return null;
    if (known?.isInfrastructure === true) return null;
    return limiter.admits(known?.key ?? null, world.nowMs)
      ? null
      : tooManyRequests(RETRY_AFTER_SECONDS, world.jimNow);
  };

  /** JIM folds 15 minutes of failures of one key into one row, and shows neither their number nor the last. */
  const recordRefusedKey = (key: string): void => {
    const prefix = key.slice(0, KEY_PREFIX_LENGTH);
    const last = refusedAtMs.get(prefix);
    if (last !== undefined && world.nowMs - last < REFUSALS_FOLDED_MS) return;
    refusedAtMs.set(prefix, world.nowMs);
    world.insert(authenticationRow('API key authentication failed', world.jimNow));
  };

  /** Unknown paths below `/api` fall through to the Blazor page, which asks for no key; what looks like a file is missing. */
  const fallThrough = (context: AppContext): Response => {
    const { path } = context.req;
    if (!path.startsWith('/api/')) return send(context, signIn(world.random.hex(16)));
    const limited = rateRefusal(knownKey(context.req.header('x-api-key')));
    if (limited !== null) return send(context, limited);
    return send(context, path.slice(path.lastIndexOf('/')).includes('.') ? empty(404) : html());
  };

  const app = new Hono<{ Bindings: Bindings }>();
  for (const route of [...activityRoutes, ...healthRoutes, ...workRoutes, ...inventoryRoutes]) {
    app.get(`/api/v1${route.path}`, (context) => {
      if (route.isKnown !== undefined && !route.isKnown(dialect())) return fallThrough(context);
      const refused = route.isOpen === true ? null : refusal(context.req.header('x-api-key'));
      return send(context, refused ?? route.answer(callOf(context)));
    });
  }
  app.notFound(fallThrough);

  /** What JIM answers where nothing strikes. */
  const replyTo = async (request: Request, url: URL): Promise<Reply> => {
    const bindings: Bindings = { url, reply: null };
    await app.fetch(request, bindings);
    if (bindings.reply === null) throw new Error(`no route answered ${request.url}`);
    return bindings.reply;
  };

  const serve = async (request: Request): Promise<Served> => {
    world.advanceTo(options.now());
    const url = new URL(request.url);
    const simulated: SimulatedRequest = {
      index: requestCount,
      method: request.method,
      path: url.pathname,
      query: url.searchParams,
    };
    for (const hook of hooks) hook(simulated);
    requestCount += 1;
    if (!world.listening) return { kind: 'refused' };
    const fault = faults.next(simulated);
    return fault === null
      ? answered(await replyTo(request, url))
      : strike(fault, () => replyTo(request, url));
  };

  const strike = async (fault: Fault, reply: () => Promise<Reply>): Promise<Served> => {
    switch (fault.kind) {
      case 'status':
        return answered(dressed(errorAnswer(fault, world)));
      case 'redirect':
        return answered(dressed(redirect(fault.location ?? 'https://jim.example/')));
      case 'html':
        return answered(dressed(html()));
      case 'garbage':
        return answered(dressed(okText('{"items":[{"id":"01a2')));
      case 'oversized':
        return {
          kind: 'oversized',
          reply: dressed(ok(null)),
          bytes: fault.bytes ?? OVERSIZED_BYTES,
        };
      case 'malformed_row': {
        const { damage, row } = fault;
        return answered(edited(await reply(), (body) => damageRow(body, damage, row ?? 0)));
      }
      case 'edit':
        return answered(edited(await reply(), fault.edit));
      case 'slow':
        return answered(await reply(), fault.ms);
      case 'truncate':
        return { kind: 'truncated', reply: await reply(), bytes: fault.bytes ?? null };
      case 'refuse':
        return { kind: 'refused' };
      case 'reset':
        return { kind: 'reset' };
      case 'hang':
        break;
    }
    return { kind: 'hung' };
  };

  const simulator: Simulator = {
    world,
    faults,
    quirks: options.quirks ?? {},
    serve,
    async fetch(request) {
      const served = await serve(request);
      if (served.kind === 'answer' || served.kind === 'truncated') return toResponse(served.reply);
      if (served.kind === 'oversized') return toResponse(served.reply, blankBody(served.bytes));
      throw new Error(`the simulated connection is ${served.kind}`);
    },
    onRequest(callback) {
      hooks.add(callback);
      return () => hooks.delete(callback);
    },
    get requestCount() {
      return requestCount;
    },
  };
  return simulator;
}

function answered(reply: Reply, delayMs = 0): Served {
  return { kind: 'answer', reply, delayMs };
}

function redirect(location: string): Answer {
  const headers = [
    ['Content-Length', '0'],
    ['Location', location],
  ] as const;
  return { ...empty(307), headers };
}

function errorAnswer(fault: Extract<Fault, { kind: 'status' }>, world: World): Answer {
  const answer = ERROR_BODIES[fault.body ?? 'envelope'](fault.status, world);
  const retryAfter: ReadonlyArray<readonly [string, string]> =
    fault.retryAfter === undefined ? [] : [['Retry-After', String(fault.retryAfter)]];
  return { ...answer, status: fault.status, headers: [...answer.headers, ...retryAfter] };
}

const ERROR_BODIES: Readonly<Record<ErrorBody, (status: number, world: World) => Answer>> = {
  envelope: (status, { jimNow }) =>
    envelope(
      status,
      status === 503 ? 'SERVICE_UNAVAILABLE' : 'INTERNAL_ERROR',
      'An unexpected error occurred.',
      jimNow,
    ),
  problem: (status) => problem({ Page: ["The value 'x' is not valid for Page."] }, traceId(status)),
  unauthorized: () => unauthorized('0'),
  empty: (status) => empty(status),
  html: () => html(),
};

function edited(reply: Reply, edit: (body: unknown) => unknown): Reply {
  return { ...reply, body: JSON.stringify(edit(JSON.parse(reply.body))) };
}
