// npm run test:moto: the end-to-end files on moto, as far as it has the AWS features that they need; says which it lacks.
import { spawn } from 'node:child_process';
import { filesOn, lackingOn } from '../test/e2e/aws-features.ts';
import { installMoto } from '../test/moto/install.ts';

await installMoto((text) => console.error(text));
console.log('not on moto, for what it lacks:');
for (const [file, features] of lackingOn('moto')) console.log(`  ${file}: ${features.join(', ')}`);
const files = filesOn('moto').map((name) => `test/e2e/${name}.test.ts`);
const child = spawn(
  'node',
  ['tools/test.ts', '--project', 'e2e', '--project', 'moto', 'test/moto', ...files, ...process.argv.slice(2)],
  { stdio: 'inherit', env: { ...process.env, IAMDB_TEST_AWS: 'moto' } },
);
process.on('SIGINT', () => {}); // the child gets it from the terminal and ends in order
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code) => {
  process.exitCode = code ?? 1;
});
