// Compares Lockstep with the distribution's LXD. Needs root and the packages lxd and lxd-client; Lockstep itself needs neither.
//   node scripts/compare-lxd/main.ts [stacks|keys|documents|known-keys]... [--record] [--incus [--incus-root DIR]]
// With --incus it is Incus instead, installed here or in a root directory of another distribution; its documents alone are compared.
// Without --record the answers are compared with what Lockstep does; with it they are also kept below test/data, where unit
// tests compare them without LXD.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { compareKeys } from './compare-keys.ts';
import { compareDocuments } from './documents.ts';
import { compareKnownKeys } from './known-keys.ts';
import { compareStacks } from './compare-stacks.ts';
import { type LxdPeer, startPeer } from './peer.ts';
import { incus, LXD } from './program.ts';

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

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { record: { type: 'boolean' }, incus: { type: 'boolean' }, 'incus-root': { type: 'string' } },
});
const { record = false, 'incus-root': root } = values;
const program = values.incus === true || root !== undefined ? incus(root) : LXD;
// What is recorded of keys and merging is LXD's, whose words the manifests use.
const usual = program === LXD ? Object.keys(comparisons) : ['documents'];
const unknown = positionals.filter((name) => !usual.includes(name));
if (unknown.length > 0 || process.getuid?.() !== 0) {
  process.stderr.write(`usage (as root): compare-lxd [${usual.join('|')}]... [--record] [--incus [--incus-root DIR]]\n`);
  process.exit(64);
}
const named = positionals.length > 0 ? positionals : usual;

let differing = 0;
for (const [name, compare] of Object.entries(comparisons)) {
  if (!named.includes(name)) continue;
  // A daemon for each: what one comparison leaves behind cannot change the next.
  await using peer = await startPeer(program);
  const { differences, summary, files } = await compare(peer);
  for (const line of differences) process.stdout.write(`  ${line}\n`);
  process.stdout.write(`${name}: ${program.name} ${peer.version}: ${summary}, ${differences.length} differences\n`);
  differing += differences.length;
  if (!record) continue;
  const dir = join(import.meta.dirname, '../../test/data', `${program.name.toLowerCase()}-${peer.version}`);
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(dir, file, '..'), { recursive: true });
    writeFileSync(join(dir, file), text);
  }
}
process.exitCode = differing === 0 ? 0 : 1;
