/**
 * Keeps Node's young generation at its first size. It grows to 48 MB with whatever allocates fast for a moment, a poll
 * here, and stays there: more than all that the exporter keeps. Imported first, before anything allocates.
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--semi-space-growth-factor=1');
