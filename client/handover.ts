/**
 * DONE evidence from payer to payee (PROTOCOL.md section 4, "DONE travels"): a hub that tells only one side gains nothing.
 * It is a courtesy: where it fails, the hub's COMPLETE does the same.
 */

import { decode, encode, MalformedBytes } from '../enclave/core/codec.ts';
import type { Identity } from '../enclave/core/ids.ts';
import type { PaymentView } from '../enclave/core/interface.ts';
import { type Step, type StepAnswer, stepCodec } from '../enclave/core/round-messages.ts';
import { TerminalRefusal } from './refusal.ts';

const ATTEMPTS = 3;
const TIMEOUT_MS = 5_000;
const PAUSE_MS = 500;

/**
 * The step by which the payee completes, from the payer's own answer; null where it cannot be made.
 * Evidence stands in the ascending order of the other participants.
 */
export function composeHandover(answer: StepAnswer, payment: PaymentView, self: Identity): Uint8Array | null {
  if (answer.kind !== 'completed' || payment.payee === null) return null;
  const others = payment.participants.filter((each) => each !== self).sort();
  const evidence = answer.evidence[others.indexOf(payment.payee)];
  if (!evidence) return null;
  return encode(stepCodec, { kind: 'completeByDone', paymentId: payment.paymentId, from: self, evidence });
}

/** @throws TerminalRefusal HANDOVER_MALFORMED */
export function parseHandover(bytes: Uint8Array): Extract<Step, { kind: 'completeByDone' }> {
  try {
    const step = decode(stepCodec, bytes);
    if (step.kind === 'completeByDone') return step;
    throw new MalformedBytes(`a ${step.kind} step`);
  } catch (cause) {
    if (!(cause instanceof MalformedBytes)) throw cause;
    throw new TerminalRefusal(
      {
        code: 'HANDOVER_MALFORMED',
        message: `This is no proof of a completed payment (${cause.message}). Send the bytes exactly as the payer's terminal made them.`,
      },
      { cause },
    );
  }
}

/** @returns whether the payee's terminal took it; never throws. `signal` gives it up. */
export async function deliverHandover(
  url: string,
  step: Uint8Array,
  options: { signal: AbortSignal; onFailure: (error: unknown) => void },
): Promise<boolean> {
  for (let attempt = 1; attempt <= ATTEMPTS && !options.signal.aborted; attempt++) {
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/octet-stream' },
        body: step.slice(),
        redirect: 'error',
        signal: AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), options.signal]),
      });
      await response.body?.cancel();
      if (response.ok) return true;
      // What the payee refuses for good does not change by repeating it.
      if (response.status < 500) throw new Refused(`${url} answered ${response.status}`);
      options.onFailure(new Error(`${url} answered ${response.status}`));
    } catch (error) {
      options.onFailure(error);
      if (error instanceof Refused) return false;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * attempt));
  }
  return false;
}

class Refused extends Error {}
