/** What stands before every route when there is a web configuration file, in the toolkit's order: file, limit, headers, authentication. */
import type { Log } from '../log.ts';
import { createBasicAuth } from './basic-auth.ts';
import type { BasicAuth } from './basic-auth.ts';
import { createRateLimiter } from './rate-limit.ts';
import type { Fetch } from './routes.ts';
import type { WebConfig } from './web-config.ts';
import type { WebConfigFile } from './web-config-file.ts';

export interface ProtectionOptions {
  /** Null protects nothing. */
  readonly webConfig: WebConfigFile | null;
  readonly nowMs: () => number;
  readonly log: Log;
  readonly basicAuth?: BasicAuth;
}

export function protect(fetch: Fetch, options: ProtectionOptions): Fetch {
  const { webConfig, nowMs, log, basicAuth = createBasicAuth() } = options;
  if (webConfig === null) return fetch;
  const limiter = createRateLimiter(nowMs);

  const answer = async (config: WebConfig, ...request: Parameters<Fetch>): Promise<Response> => {
    if (config.users.size === 0) return fetch(...request);
    const verdict = await basicAuth.check(request[0].headers.get('authorization'), config.users);
    switch (verdict) {
      case 'accepted':
        return fetch(...request);
      case 'busy':
        log.debug('Refused a request: too many passwords are being checked');
        return plain(503, 'Too many passwords are being checked', { 'Retry-After': '10' });
      case 'refused':
        return plain(401, 'Unauthorized', { 'WWW-Authenticate': 'Basic' });
    }
  };

  return async (...request) => {
    const { config, broken } = webConfig.current();
    if (broken) return plain(500, 'Internal Server Error');
    if (config.rateLimit !== null && !limiter.allows(config.rateLimit)) {
      return plain(429, 'Too Many Requests');
    }
    const response = await answer(config, ...request);
    for (const [name, value] of config.headers) addHeader(response.headers, name, value);
    return response;
  };
}

function addHeader(headers: Headers, name: string, value: string): void {
  // Beside the page's own policy, not in its place: a browser obeys both.
  if (name === 'Content-Security-Policy') headers.append(name, value);
  else headers.set(name, value);
}

function plain(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(`${text}\n`, {
    status,
    headers: { 'Content-Type': 'text/plain; charset=utf-8', ...headers },
  });
}
