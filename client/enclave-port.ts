/** What sessions need of an enclave: commands in, each answered by the result that belongs to it. */

import type { Command } from '../enclave/core/interface.ts';
import type { CommandKind, ResultOf } from '../enclave/host/enclave.ts';

export interface EnclavePort {
  /** Commands given in one turn travel in one frame, in order. Rejects with an error with a `code` where refused. */
  run<K extends CommandKind>(command: Extract<Command, { kind: K }>): Promise<ResultOf<K>>;
}
