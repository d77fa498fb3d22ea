/** `npm run explore`: bundles main.ts and runs it; main.ts asks for the exploration itself, edited or not. */
import { load } from './bundle.js';
import { every } from './every.js';

const argv = process.argv.slice(2);
try {
  const { main } = await load('main.ts');
  process.exitCode =
    argv[0] === 'every' ? await every(argv.slice(1)) : await main(argv, (edits) => load('exploration.ts', edits));
} catch (error) {
  // No verdict: 1 would say that a property was violated.
  console.error(error);
  process.exitCode = 2;
}
