/** What the benchmark started, so that an interrupt ends it as surely as the end of a measurement does. */

type Stop = () => Promise<void>;
const stops = new Set<Stop>();

/** Runs once, at the latest when the benchmark is interrupted. */
export function onceStopped(stop: Stop): Stop {
  let stopped: Promise<void> | null = null;
  const once = (): Promise<void> => {
    stops.delete(once);
    return (stopped ??= stop());
  };
  stops.add(once);
  return once;
}

/** Last started, first stopped. */
export async function stopAll(): Promise<void> {
  for (const stop of [...stops].toReversed()) await stop();
}

export function stopAllOnInterrupt(): void {
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void stopAll().finally(() => process.exit(130)));
}
