/**
 * Where npm put the programs of foundry: the platform's own binaries, started directly. npm's wrappers would start them
 * as grandchildren that outlive us.
 */

import { createRequire } from 'node:module';

const platforms: Readonly<Record<string, string>> = {
  'linux-x64': 'linux-amd64',
  'linux-arm64': 'linux-arm64',
  'darwin-x64': 'darwin-amd64',
  'darwin-arm64': 'darwin-arm64',
  'win32-x64': 'win32-amd64',
};

/** Path of the binary. @throws Error where npm installed none for this platform */
export function foundryBinary(program: 'anvil' | 'forge'): string {
  const platform = `${process.platform}-${process.arch}`;
  const file = process.platform === 'win32' ? `${program}.exe` : program;
  const wrapper = createRequire(import.meta.url).resolve(`@foundry-rs/${program}/package.json`);
  return createRequire(wrapper).resolve(`@foundry-rs/${program}-${platforms[platform] ?? platform}/bin/${file}`);
}
