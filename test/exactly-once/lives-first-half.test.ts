/** The first half of the lives. */
import { playShare } from './lives.ts';

playShare(0);
