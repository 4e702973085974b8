/** The worker's queue: says outright what is queued, waiting or running (0.13 and later). */
import type { Collector } from './collector.ts';
import { allPages } from './collector.ts';

export function createWorkerTasks(): Collector {
  return {
    name: 'worker_tasks',
    lacking: ({ hasWorkerTasks }) =>
      hasWorkerTasks ? null : '/worker-tasks, which came with JIM 0.13',
    needsKey: true,
    leavesAtOnce: false,
    collect: async ({ jim, call }) => ({
      workerTasks: await allPages((page) => jim.workerTasks({ ...call, page })),
    }),
  };
}
