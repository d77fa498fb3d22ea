import { defineConfig } from 'vitest/config';

/** Tests stand beside what they test. They need the build: enclaves start the bundled image, programs run from dist. */
export default defineConfig({
  test: {
    include: ['{hub,enclave,client,contracts,simulations}/**/*.test.ts', '*.test.ts'],
    // Real chains, processes and scalar multiplications on small machines: patience, never an assertion on time.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    coverage: {
      provider: 'v8',
      include: ['{hub,enclave,client,contracts,simulations}/**/*.ts'],
      exclude: ['**/*.test.ts', '**/*.d.ts', 'contracts/generated/**', '**/testing/**'],
      reporter: ['text-summary', 'json-summary'],
      thresholds: { lines: 80, functions: 75, branches: 70 },
    },
  },
});
