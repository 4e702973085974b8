import { Gauge, Registry } from 'prom-client';

const LABELS = ['connected_system', 'run_profile', 'run_type', 'outcome'] as const;
const SERIES_PER_FAMILY = 1_000;

/** As many series as asked for, as prom-client's manual shows it. */
export function gaugesOf(series: number): Registry {
  const registry = new Registry();
  for (let first = 0; first < series; first += SERIES_PER_FAMILY) {
    const gauge = new Gauge({
      name: `jim_bench_${first}`,
      help: 'Some of the series.',
      labelNames: LABELS,
      registers: [registry],
    });
    for (let index = first; index < Math.min(series, first + SERIES_PER_FAMILY); index += 1)
      gauge.set(
        {
          connected_system: `System ${index % 300}`,
          run_profile: `Profile ${index}`,
          run_type: 'FullImport',
          outcome: 'Added',
        },
        index,
      );
  }
  return registry;
}
