/** How long the benchmark may take: everything, or a first impression in a minute. */
export interface Effort {
  /** Values behind each median. */
  readonly repeats: number;
  /** One turn of the load generator. */
  readonly loadMs: number;
  readonly sizes: readonly number[];
  /** Rows of a catch-up. */
  readonly catchUps: readonly number[];
  /** Idle polls, one behind the other. */
  readonly idlePolls: number;
  /** Days of the simulated months. */
  readonly days: number;
}

export const WHOLE: Effort = {
  repeats: 5,
  loadMs: 300,
  sizes: [1_000, 10_000, 100_000],
  catchUps: [20_000, 200_000],
  idlePolls: 100,
  days: 90,
};

export const QUICK: Effort = {
  repeats: 5,
  loadMs: 100,
  sizes: [1_000, 10_000],
  catchUps: [5_000, 20_000],
  idlePolls: 40,
  days: 12,
};
