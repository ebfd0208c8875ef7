// LXD's answers about keys against the option registry.
import { isOptionScope, optionFor } from '../../src/schemas/registry.ts';
import type { KeyAnswers } from './keys.ts';
import { MEANT_DIFFERENCES } from './meant-differences.ts';

export interface Judgement {
  /** Differences that nobody has explained. */
  readonly unexpected: readonly string[];
  /** Explained ones that were found. */
  readonly meant: readonly string[];
  /** Explained ones that were not found: their explanation is to be removed. */
  readonly gone: readonly string[];
}

export function judgeKeys({ values, effects }: KeyAnswers): Judgement {
  const found: string[] = [];
  for (const { scope, key, value, accepted } of values) {
    if (!isOptionScope(scope)) throw new Error(`There is no scope ${scope}.`);
    const option = optionFor(scope, key);
    const ours = option?.type.parse(value).ok ?? false;
    // A key that is still to come is refused whatever its value: only what would have to be accepted one day counts.
    if (ours && option?.status === 'planned') continue;
    if (ours !== accepted) found.push(`${scope} ${key}=${JSON.stringify(value)}: ${accepted ? 'LXD' : 'Lockstep'} accepts it`);
  }
  for (const { key, effect } of effects) {
    const ours = optionFor('instance', key)?.verdict;
    // What cannot be seen from the host decides nothing.
    if (effect !== 'unseen' && ours !== effect) found.push(`instance ${key}: takes effect ${effect} in LXD, ${ours} here`);
  }
  const meant = new Set(Object.keys(MEANT_DIFFERENCES));
  return {
    unexpected: found.filter((one) => !meant.has(one)),
    meant: found.filter((one) => meant.has(one)),
    gone: [...meant].filter((one) => !found.includes(one)),
  };
}
