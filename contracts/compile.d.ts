/** Types of compile.js, which stays JavaScript so that the build can import it before anything is built. */

export const evmVersion: string;
export const optimizerRuns: number;
/** Compiles what changed into contracts/generated. @throws Error with solc's report, also for warnings */
export function compileContracts(): Promise<void>;
