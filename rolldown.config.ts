// The production bundles: the operator, and the command line; each with what it uses and nothing else.
import { defineConfig, type Plugin, type RolldownOptions } from 'rolldown';

/**
 * Of the Kubernetes client only the kubeconfig is used. It refers to a thousand generated models, a third of the bundle,
 * for a method that makes API clients, which we never call.
 */
const withoutGeneratedModels: Plugin = {
  name: 'without-generated-models',
  resolveId: (source, importer) =>
    source === './gen/index.js' && importer?.includes('@kubernetes/client-node/dist/config.js') === true
      ? '\0no-generated-models'
      : null,
  load: (id) =>
    id === '\0no-generated-models'
      ? 'const none = () => { throw new Error("not in the bundle"); }; export { none as createConfiguration, none as ServerConfiguration };'
      : null,
};

/** One character outside ASCII makes Node keep the whole text with two bytes a character. */
const inAscii: Plugin = {
  name: 'in-ascii',
  // After the minifier, which would undo it.
  generateBundle: (_options, bundle) => {
    for (const chunk of Object.values(bundle)) {
      if (chunk.type === 'chunk') chunk.code = chunk.code.replaceAll(/[^\p{ASCII}]/gu, escaped);
    }
  },
};
const escaped = (char: string) =>
  char
    .split('')
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
    .join('');

const bundle = (name: string, input: string, banner = ''): RolldownOptions => ({
  input: { [name]: input },
  platform: 'node',
  output: {
    dir: 'dist',
    format: 'esm',
    entryFileNames: '[name].mjs',
    minify: { compress: true, mangle: false },
    sourcemap: false,
    banner,
  },
  // The client's modules say nothing of side effects and have none.
  treeshake: { moduleSideEffects: (id) => !id.includes('@kubernetes/client-node/dist/') },
  plugins: [withoutGeneratedModels, inAscii],
  // pg looks for its native sibling and goes on without it.
  external: ['pg-native'],
});

export default defineConfig([
  bundle('operator', 'src/main.ts'),
  // As kubectl finds its plugins: an executable of that name on the PATH.
  bundle('kubectl-iamdb', 'src/cli/main.ts', '#!/usr/bin/env node'),
]);
