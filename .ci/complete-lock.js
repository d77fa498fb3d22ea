/**
 * Adds to package-lock.json what npm leaves out: builds of optional packages for other platforms.
 *
 * A mirror that holds the builds of one platform alone makes npm write a lock file that `npm ci` then refuses. The
 * missing entries are known from the packages that name them; they carry no integrity, and npm skips them elsewhere.
 * Run it after changing dependencies: node .ci/complete-lock.js (with --check it only says what is missing).
 */
import { readFileSync, writeFileSync } from 'node:fs';

const FILE = new URL('../package-lock.json', import.meta.url);
const OS = {
  linux: 'linux',
  darwin: 'darwin',
  win32: 'win32',
  android: 'android',
  freebsd: 'freebsd',
  openharmony: 'openharmony',
  aix: 'aix',
  sunos: 'sunos',
  netbsd: 'netbsd',
  openbsd: 'openbsd',
};
const CPU = {
  x64: 'x64',
  amd64: 'x64',
  arm64: 'arm64',
  arm: 'arm',
  ia32: 'ia32',
  ppc64: 'ppc64',
  riscv64: 'riscv64',
  s390x: 's390x',
  loong64: 'loong64',
};

const lock = JSON.parse(readFileSync(FILE, 'utf8'));
const missing = {};
for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const places = [`${path}/node_modules/${name}`, `node_modules/${name}`];
    if (path === '' || places.some((place) => lock.packages[place])) continue;
    const words = name.split(/[-/]/);
    const os = words.map((word) => OS[word]).find(Boolean);
    const cpu = words.map((word) => CPU[word]).find(Boolean);
    if (!os && !cpu) continue;
    const libc = /musl/.test(name) ? 'musl' : /gnu/.test(name) ? 'glibc' : null;
    missing[`node_modules/${name}`] = {
      version,
      ...(cpu ? { cpu: [cpu] } : {}),
      ...(entry.dev ? { dev: true } : {}),
      ...(libc ? { libc: [libc] } : {}),
      optional: true,
      ...(os ? { os: [os] } : {}),
    };
  }
}

const names = Object.keys(missing);
if (process.argv.includes('--check')) {
  if (names.length > 0)
    process.stderr.write(`package-lock.json lacks ${names.join(', ')}; run node .ci/complete-lock.js\n`);
  process.exitCode = names.length > 0 ? 1 : 0;
} else {
  const all = { ...lock.packages, ...missing };
  lock.packages = Object.fromEntries(Object.entries(all).sort(([left], [right]) => (left < right ? -1 : 1)));
  writeFileSync(FILE, `${JSON.stringify(lock, null, 2)}\n`);
  process.stdout.write(`${names.length} entries added\n`);
}
