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
      // Programs are tested as users run them, built and as processes of their own, where nothing is counted.
      exclude: [
        '**/*.test.ts',
        '**/*.d.ts',
        '**/testing/**',
        'contracts/generated/**',
        'client/cli/**',
        'hub/main.ts',
        'simulations/**',
      ],
      reporter: ['text-summary', 'json-summary'],
      thresholds: {
        ...{ lines: 90, functions: 88, branches: 77 },
        '{enclave,hub}/core/**': { lines: 94, functions: 92, branches: 80 },
      },
    },
  },
});
