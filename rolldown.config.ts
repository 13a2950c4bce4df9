// The production bundle: one file for the operator, with everything it imports.
import { defineConfig } from 'rolldown';

export default defineConfig({
  input: { operator: 'src/main.ts' },
  platform: 'node',
  output: { dir: 'dist', format: 'esm', entryFileNames: '[name].mjs', minify: 'dce-only', sourcemap: false },
  // pg looks for its native sibling and goes on without it.
  external: ['pg-native'],
});
