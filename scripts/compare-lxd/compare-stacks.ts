// The comparison of random stacks, live.
import { isDeepStrictEqual } from 'node:util';
import { gzipSync } from 'node:zlib';
import { expandStack } from './expand-stack.ts';
import type { Outcome } from './main.ts';
import type { LxdPeer } from './peer.ts';
import { askStacks } from './stacks.ts';

export async function compareStacks(peer: LxdPeer): Promise<Outcome> {
  const { cases, refused } = await askStacks(peer);
  const differences = cases.flatMap(({ stack, expanded }, at) => {
    let ours: unknown;
    try {
      ours = expandStack(stack);
    } catch (error) {
      ours = String(error);
    }
    return isDeepStrictEqual(ours, expanded) ? [] : [`stack ${at}: LXD ${JSON.stringify(expanded)}, Lockstep ${JSON.stringify(ours)}`];
  });
  for (const [error, count] of refused) process.stdout.write(`  LXD refused ${count} stacks: ${error}\n`);
  return {
    differences,
    summary: `${cases.length} stacks`,
    files: { 'stacks.jsonl.gz': gzipSync(cases.map((one) => `${JSON.stringify(one)}\n`).join(''), { level: 9 }) },
  };
}
