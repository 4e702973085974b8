/** A step of `npm run build`: runs the program as `--version`, which loads all of it, and keeps what V8 compiled for that. */
import { compileProgram, keepCode, runProgram } from './compiled-program.ts';

const script = compileProgram();
process.argv.push('--version');
process.on('exit', () => {
  keepCode(script);
});
runProgram(script);
