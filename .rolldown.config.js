/**
 * What `npm run build` makes of the program: it and all it imports in a few files, since to find, read and link seven
 * hundred modules takes Node longer than all else before the first scrape, and 15 MB of memory. Only machine code
 * stays in node_modules. Names are kept: a stack trace still says where it was.
 */
export default {
  input: ['src/main.ts', 'src/app.ts', 'src/build-stamp.ts'],
  platform: 'node',
  external: ['@node-rs/bcrypt'],
  output: {
    dir: 'dist',
    chunkFileNames: '[name].js',
    comments: false,
    minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
  },
};
