/** Asks a simulator as a client would, within the process. */
import type { Simulator } from '../../src/demo/simulator.ts';
import { DEMO_API_KEY } from '../../src/demo/world.ts';

export interface Asked {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

export async function ask(
  simulator: Simulator,
  path: string,
  key: string | null = DEMO_API_KEY,
): Promise<Asked> {
  const headers: Record<string, string> = key === null ? {} : { 'X-API-Key': key };
  const response = await simulator.fetch(new Request(`http://jim.example${path}`, { headers }));
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** The parsed body of an answer that must be 200. */
export async function askJson<T>(simulator: Simulator, path: string): Promise<T> {
  const { status, text } = await ask(simulator, path);
  if (status !== 200) throw new Error(`${path} answered ${status}: ${text}`);
  // The edge: tests say what they expect of the body, and fail where it is otherwise.
  return JSON.parse(text) as T;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly totalCount: number;
  readonly page: number;
  readonly pageSize: number;
  readonly totalPages: number;
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
}

export interface Row {
  readonly id: string;
  readonly created: string;
  readonly executed: string;
  readonly status: string;
  readonly targetType: string;
  readonly targetName: string | null;
}

export const ACTIVITIES = '/api/v1/activities';
export const NEWEST_FIRST = `${ACTIVITIES}?sortBy=created&sortDirection=desc`;
