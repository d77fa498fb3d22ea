/** `npm run explore`: bundles main.ts and runs it; main.ts asks for the exploration itself, edited or not. */
import { load } from './bundle.js';

const { main } = await load('main.ts');
process.exitCode = await main(process.argv.slice(2), (edits) => load('exploration.ts', edits));
