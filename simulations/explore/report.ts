/** What a person reads of an exploration. */

import type { SetResult } from './exploration.ts';
import type { Rule } from './rules.ts';
import type { Shape } from './shapes.ts';

const count = (value: number): string => value.toLocaleString('en-US').padStart(12);

export function caption({ name, terminals }: Shape, rule: Rule | null): string {
  const broken = rule ? `\nWithout the rule ${rule.name}: ${rule.without}.` : '';
  const head = `${'honest hosts'.padEnd(14)}${'states'.padStart(12)}${'transitions'.padStart(13)}${'seconds'.padStart(10)}`;
  return `Shape ${name}, ${terminals} participants: every order of moves of a malicious hub and malicious hosts.${broken}\n\n${head}`;
}

export function row({ honest, states, transitions, seconds, violation, complete }: SetResult): string {
  const verdict = violation ? 'VIOLATED' : complete ? 'held' : 'cut short';
  const figures = `${count(states)} ${count(transitions)}${seconds.toFixed(1).padStart(10)}`;
  return `${honest.join(', ').padEnd(14)}${figures}   ${verdict}`;
}

/** The verdict on a shape, with the shortest trace to a violation. */
export function told(
  found: { states: number; complete: boolean; rule: string | null },
  last: SetResult | null,
): string {
  if (last?.violation) {
    const { why, trace } = last.violation;
    const steps = trace.map((step, index) => `${String(index + 1).padStart(3)}. ${step}`);
    return `\nViolated: ${why}.\n${steps.join('\n')}`;
  }
  if (!found.complete) return '\nCut short by --max-states: what was explored held, the rest is unknown.';
  if (found.rule) return '\nNot caught here.';
  return `\nEvery property of section 7 holds in all ${found.states.toLocaleString('en-US')} states.`;
}
