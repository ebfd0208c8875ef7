// The comparison of keys, live: LXD's answers next to what the option registry says. Differences that are meant are listed in
// meant-differences.ts, each with its reason.
import { type KeyAnswers, askKeys } from './keys.ts';
import { judgeKeys } from './judge-keys.ts';
import type { Outcome } from './main.ts';
import type { LxdPeer } from './peer.ts';

export async function compareKeys(peer: LxdPeer): Promise<Outcome> {
  const answers: KeyAnswers = await askKeys(peer);
  const { unexpected, gone, meant } = judgeKeys(answers);
  const keys = new Set(answers.values.map(({ scope, key }) => `${scope} ${key}`));
  return {
    differences: [...unexpected, ...gone.map((what) => `no longer differs: ${what}`)],
    summary: `${keys.size} keys, ${answers.values.length} values, ${answers.effects.length} effects, ${meant.length} meant differences`,
    files: { 'keys.json': `${JSON.stringify(answers, undefined, 1)}\n` },
  };
}
