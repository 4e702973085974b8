/** Our dashboards, in the order in which a person meets them. */
import { connectedSystem } from './connected-system.ts';
import type { DashboardSource } from './dashboard.ts';
import { exporter } from './exporter.ts';
import { overview } from './overview.ts';

export const DASHBOARDS: readonly DashboardSource[] = [overview, connectedSystem, exporter];
