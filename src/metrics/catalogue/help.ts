/** Sentences that several HELP lines share. */

/** Zero hold (design, section 2, rule 8), as the reader of a counter must know it. */
export const ZERO_HOLD_HELP =
  'A new label set stays at 0 until a scrape has seen it, so gauges run ahead of this counter.';
