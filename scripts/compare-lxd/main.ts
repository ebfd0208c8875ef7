// Compares Lockstep with the distribution's LXD. Needs root and the packages lxd and lxd-client; Lockstep itself needs neither.
//   node scripts/compare-lxd/main.ts [stacks|keys|documents|known-keys]... [--record]
// Without --record the answers of LXD are compared with what Lockstep does; with it they are also kept below test/data, where unit
// tests compare them without LXD.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareKeys } from './compare-keys.ts';
import { compareDocuments } from './documents.ts';
import { compareKnownKeys } from './known-keys.ts';
import { compareStacks } from './compare-stacks.ts';
import { type LxdPeer, startPeer } from './peer.ts';

/** What one comparison has found. */
export interface Outcome {
  readonly differences: readonly string[];
  readonly summary: string;
  /** Files to record, by name. */
  readonly files: Readonly<Record<string, string | Uint8Array>>;
}

const comparisons: Readonly<Record<string, (peer: LxdPeer) => Promise<Outcome>>> = {
  stacks: compareStacks,
  keys: compareKeys,
  documents: compareDocuments,
  'known-keys': compareKnownKeys,
};

const words = process.argv.slice(2);
const record = words.includes('--record');
const named = words.filter((word) => word !== '--record');
const unknown = named.filter((name) => !Object.hasOwn(comparisons, name));
if (unknown.length > 0 || process.getuid?.() !== 0) {
  process.stderr.write(`usage (as root): compare-lxd [${Object.keys(comparisons).join('|')}]... [--record]\n`);
  process.exit(64);
}

let differing = 0;
for (const [name, compare] of Object.entries(comparisons)) {
  if (named.length > 0 && !named.includes(name)) continue;
  // A daemon for each: what one comparison leaves behind cannot change the next.
  await using peer = await startPeer();
  const { differences, summary, files } = await compare(peer);
  for (const line of differences) process.stdout.write(`  ${line}\n`);
  process.stdout.write(`${name}: LXD ${peer.version}: ${summary}, ${differences.length} differences\n`);
  differing += differences.length;
  if (!record) continue;
  const dir = join(import.meta.dirname, '../../test/data', `lxd-${peer.version}`);
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(dir, file, '..'), { recursive: true });
    writeFileSync(join(dir, file), text);
  }
}
process.exitCode = differing === 0 ? 0 : 1;
