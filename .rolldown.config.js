/**
 * What `npm run build` makes of the program: it and all it imports in one file, since to find, read and link seven
 * hundred modules takes Node longer than all else before the first scrape, and 15 MB of memory. Beside it what runs it
 * (`dist/main.js`, as everybody calls it), what the build runs, and the library. Only machine code stays in
 * node_modules. Names of functions and classes are kept: a stack trace still says where it was.
 */
/** Of a text with one dash or ellipsis in it V8 keeps two bytes for each of its two million characters. */
const inAscii = {
  name: 'in-ascii',
  generateBundle(_options, files) {
    for (const file of Object.values(files)) {
      if (file.type !== 'chunk') continue;
      // All of them stand in strings, templates and patterns, where an escape means the same.
      file.code = file.code.replaceAll(
        /[\u0080-\uffff]/g,
        (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
      );
    }
  },
};

/** What undici's index loads for others than us: 10 ms of each start. */
const UNUSED_OF_UNDICI =
  /[/\\]undici[/\\]lib[/\\](mock|interceptor|cache|web[/\\](cookies|eventsource|websocket))[/\\]/;
const partsOfUndici = {
  name: 'parts-of-undici',
  load: (id) =>
    UNUSED_OF_UNDICI.test(id) ? { code: 'module.exports = {};', moduleType: 'js' } : null,
  buildEnd() {
    for (const id of this.getModuleIds()) {
      if (!UNUSED_OF_UNDICI.test(id)) continue;
      const user = this.getModuleInfo(id).importers.find(
        (importer) => !/[/\\]undici[/\\]index\.js$/.test(importer),
      );
      if (user !== undefined) throw new Error(`${user} needs ${id}, which is left out`);
    }
  },
};

const keepNames = { function: true, class: true };
const program = { platform: 'node', external: ['@node-rs/bcrypt'] };
const output = {
  comments: false,
  minify: {
    compress: { keepNames },
    mangle: { keepNames },
    codegen: { removeWhitespace: true },
  },
};

export default [
  {
    ...program,
    input: 'src/main.ts',
    plugins: [inAscii, partsOfUndici],
    // A script and no module: only of scripts does Node 20 take code that is compiled already. As strict as a module.
    output: {
      ...output,
      format: 'cjs',
      file: 'dist/program.cjs',
      codeSplitting: false,
      banner: "'use strict';",
    },
  },
  {
    ...program,
    input: {
      main: 'src/launch.ts',
      app: 'src/app.ts',
      'build-stamp': 'src/build-stamp.ts',
      'code-cache': 'src/code-cache.ts',
    },
    output: { ...output, dir: 'dist', chunkFileNames: '[name].js' },
  },
];
