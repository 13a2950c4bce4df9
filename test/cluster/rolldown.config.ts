// The bundles of the test image: one file for each pod.
import { defineConfig } from 'rolldown';

export default defineConfig({
  input: {
    aws: 'test/cluster/pods/aws.ts',
    database: 'test/cluster/pods/database.ts',
    login: 'test/cluster/pods/login.ts',
  },
  platform: 'node',
  output: { dir: 'dist/cluster', format: 'esm', entryFileNames: '[name].mjs', chunkFileNames: '[name].mjs' },
  external: ['pg-native'],
});
