/** The second half of the lives. */
import { playShare } from './lives.ts';

playShare(1);
