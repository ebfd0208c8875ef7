// 500 random stacks of profiles: what LXD makes of each (expanded_config, expanded_devices) next to what Lockstep makes of the same as
// manifests. Compared exactly; only volatile.* is LXD's own.
import type { LxdPeer } from './peer.ts';
import { seededRandom } from './random.ts';
import { randomStack, type SentLayer, type Stack, STACK_NETWORKS, STACK_POOLS } from './random-stack.ts';

export interface Expansion {
  readonly config: Readonly<Record<string, string>>;
  readonly devices: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** One line of the recorded set. */
export interface StackCase {
  readonly stack: Stack;
  readonly expanded: Expansion;
}

const WANTED = 500;
const MOST_TRIES = 1000;
const SEED = 20_260_101;

/** Asks LXD for all stacks. Those it refuses (a masked root disk) are left out and counted. */
export async function askStacks(peer: LxdPeer): Promise<{ cases: StackCase[]; refused: ReadonlyMap<string, number> }> {
  for (const name of STACK_POOLS) await peer.make('storage-pools', { name, driver: 'dir', config: {} });
  for (const [at, name] of STACK_NETWORKS.entries()) {
    const config = { 'ipv4.address': `10.199.${70 + at}.1/24`, 'ipv4.nat': 'false', 'ipv6.address': 'none' };
    await peer.make('networks', { name, type: 'bridge', config });
  }
  const random = seededRandom(SEED);
  const cases: StackCase[] = [];
  const refused = new Map<string, number>();
  for (let tries = 0; cases.length < WANTED && tries < MOST_TRIES; tries++) {
    const stack = randomStack(random);
    const answer = await askOne(peer, stack);
    if (typeof answer === 'string') refused.set(answer, (refused.get(answer) ?? 0) + 1);
    else cases.push({ stack, expanded: answer });
  }
  return { cases, refused };
}

async function askOne(peer: LxdPeer, stack: Stack): Promise<Expansion | string> {
  const used = stack.apply ?? ['default'];
  const made: string[] = [];
  try {
    for (const name of used) {
      const layer: SentLayer | undefined = stack.profiles[name];
      const profile = { ...layer, description: '' };
      const answer =
        name === 'default'
          ? await peer.call('PUT', '/1.0/profiles/default', profile)
          : await peer.call('POST', '/1.0/profiles', { name, ...profile });
      if (!answer.ok) return answer.error;
      if (name !== 'default') made.unshift(`/1.0/profiles/${name}`);
    }
    const instance = { name: 'stack', source: { type: 'none' }, profiles: stack.apply, ...stack.instance };
    const answer = await peer.call('POST', '/1.0/instances', instance);
    if (!answer.ok) return answer.error;
    made.unshift('/1.0/instances/stack');
    const shown = (await peer.must('GET', '/1.0/instances/stack')) as {
      readonly expanded_config: Record<string, string>;
      readonly expanded_devices: Record<string, Record<string, string>>;
    };
    const config = Object.entries(shown.expanded_config).filter(([key]) => !key.startsWith('volatile.'));
    return { config: Object.fromEntries(config), devices: shown.expanded_devices };
  } finally {
    for (const path of made) await peer.must('DELETE', path);
  }
}
