// Asks LXD about config keys: which values it accepts, and when a value takes effect on a running container.
import { importBusybox } from './busybox-image.ts';
import { KEY_QUESTIONS, OBJECT_QUESTIONS, type ObjectQuestion } from './key-values.ts';
import { differing, observeContainer } from './observe-container.ts';
import type { LxdPeer } from './peer.ts';

/** One value of one key. */
export interface ValueAnswer {
  readonly scope: string;
  readonly key: string;
  readonly value: string;
  readonly accepted: boolean;
  /** LXD's words when it refused. */
  readonly error?: string;
}

/**
 * When a new value took effect on a running container: `live` at once, `restart` only after a restart, `both` partly at once, `refused`
 * not while it runs, `unseen` if nothing visible from the host changed.
 */
export interface EffectAnswer {
  readonly key: string;
  readonly value: string;
  readonly effect: 'live' | 'restart' | 'both' | 'refused' | 'unseen';
  /** What changed at once, and what only after the restart. */
  readonly live: readonly string[];
  readonly restart: readonly string[];
  readonly error?: string;
}

export interface KeyAnswers {
  readonly values: readonly ValueAnswer[];
  readonly effects: readonly EffectAnswer[];
}

const NETWORK = 'lxcmp2';

export async function askKeys(peer: LxdPeer): Promise<KeyAnswers> {
  await peer.make('storage-pools', { name: 'cmp0', driver: 'dir', config: {} });
  const config = { 'ipv4.address': '10.199.72.1/24', 'ipv4.nat': 'false', 'ipv6.address': 'none' };
  await peer.make('networks', { name: NETWORK, type: 'bridge', config });
  await peer.must('PUT', '/1.0/profiles/default', {
    config: {},
    description: '',
    devices: { root: { type: 'disk', path: '/', pool: 'cmp0' } },
  });
  const values: ValueAnswer[] = [];
  await peer.must('POST', '/1.0/instances', { name: 'stopped', source: { type: 'none' } });
  for (const { key, try: texts } of KEY_QUESTIONS) {
    for (const value of texts) values.push(await tryValue(peer, key, value));
  }
  for (const question of OBJECT_QUESTIONS) {
    for (const value of question.try) values.push(await tryObject(peer, question, value));
  }
  return { values, effects: await askEffects(peer) };
}

function answered(scope: string, key: string, value: string, error: string | undefined): ValueAnswer {
  return { scope, key, value, accepted: error === undefined, ...(error === undefined ? {} : { error }) };
}

async function tryValue(peer: LxdPeer, key: string, value: string): Promise<ValueAnswer> {
  const answer = await peer.call('PATCH', '/1.0/instances/stopped', { config: { [key]: value } });
  if (answer.ok) await peer.must('PATCH', '/1.0/instances/stopped', { config: { [key]: '' } });
  return answered('instance', key, value, answer.ok ? undefined : answer.error);
}

/** What the object needs besides the key in question. */
const DEVICE_BASES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'device/nic': { type: 'nic', network: NETWORK },
  'device/disk': { type: 'disk', source: '/etc', path: '/mnt/a' },
  'device/unix-char': { type: 'unix-char', source: '/dev/net/tun', path: '/dev/tun' },
};

async function tryObject(peer: LxdPeer, { scope, key }: ObjectQuestion, value: string): Promise<ValueAnswer> {
  const base = DEVICE_BASES[scope];
  let path = '/1.0/instances/device';
  let answer;
  if (base !== undefined) {
    const devices = { d: { ...base, [key]: value } };
    answer = await peer.call('POST', '/1.0/instances', { name: 'device', source: { type: 'none' }, devices });
  } else if (scope === 'pool/dir') {
    path = '/1.0/storage-pools/tried';
    answer = await peer.call('POST', '/1.0/storage-pools', { name: 'tried', driver: 'dir', config: { [key]: value } });
  } else {
    path = '/1.0/networks/lxcmp3';
    const config = { 'ipv4.address': '10.199.74.1/24', 'ipv4.nat': 'false', 'ipv6.address': 'none', [key]: value };
    answer = await peer.call('POST', '/1.0/networks', { name: 'lxcmp3', type: 'bridge', config });
  }
  await peer.call('DELETE', path);
  return answered(scope, key, value, answer.ok ? undefined : answer.error);
}

async function askEffects(peer: LxdPeer): Promise<EffectAnswer[]> {
  await importBusybox(peer, 'busybox');
  await peer.must('POST', '/1.0/instances', { name: 'running', source: { type: 'image', alias: 'busybox' } });
  await power(peer, 'start');
  const effects: EffectAnswer[] = [];
  for (const { key, probe } of KEY_QUESTIONS) {
    if (probe !== undefined) effects.push(await probeEffect(peer, key, probe));
  }
  return effects;
}

async function power(peer: LxdPeer, action: 'start' | 'restart'): Promise<void> {
  await peer.must('PUT', '/1.0/instances/running/state', { action, force: action === 'restart', timeout: 30 });
}

async function probeEffect(peer: LxdPeer, key: string, value: string): Promise<EffectAnswer> {
  const before = await observeContainer(peer, 'running');
  const answer = await peer.call('PATCH', '/1.0/instances/running', { config: { [key]: value } });
  if (!answer.ok) return { key, value, effect: 'refused', live: [], restart: [], error: answer.error };
  const after = await observeContainer(peer, 'running');
  const live = differing(before, after);
  const restarted = await peer.call('PUT', '/1.0/instances/running/state', { action: 'restart', force: true, timeout: 30 });
  const restart = restarted.ok ? differing(after, await observeContainer(peer, 'running')) : ['start fails'];
  await peer.must('PATCH', '/1.0/instances/running', { config: { [key]: '' } });
  await power(peer, restarted.ok ? 'restart' : 'start');
  const effect = live.length > 0 ? (restart.length > 0 ? 'both' : 'live') : restart.length > 0 ? 'restart' : 'unseen';
  return { key, value, effect, live, restart };
}
