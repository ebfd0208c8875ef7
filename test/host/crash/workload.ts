// What is declared changes at random: instances come and go, are changed live and by a restart, stopped and frozen; networks, pools, images
// and a profile beside them. And what must then be on the host, counted from what is declared.
import assert from 'node:assert/strict';
import type { Seeded } from '../../../scripts/seeded-random.ts';
import type { TestHost } from '../harness.ts';
import { instance } from '../manifests.ts';
import type { Census } from './census.ts';
import { base, fileImage, network, object } from './paths.ts';

const INSTANCES = 8;

export interface Declared {
  readonly text: string;
  readonly instances: number;
  readonly running: number;
  readonly networks: number;
  /** Of all pools: those of the base, and more. */
  readonly pools: number;
  readonly images: number;
}

export function randomState(random: Seeded, host: TestHost): Declared {
  const parts: string[] = [base(host.prefix)];
  let running = 0;
  let instances = 0;
  for (let number = 0; number < INSTANCES; number++) {
    if (random.chance(0.35)) continue;
    const state = random.pick(['Running', 'Running', 'Running', 'Stopped', 'Frozen']);
    const memory = random.pick(['64MiB', '80MiB', '96MiB']);
    // A pool can only be changed by making it anew, so it goes with the name.
    const root = number % 2 === 0 ? `pool: fast, size: ${random.pick(['64MiB', '96MiB'])}` : 'pool: plain';
    const config = `config: { limits.memory: ${memory}, security.nesting: "${random.chance(0.3)}" }`;
    parts.push(
      instance(`c${number}`, `state: ${state}, ${config}, devices: { root: { type: disk, path: /, ${root} } }, profiles: [default, small]`),
    );
    instances++;
    if (state !== 'Stopped') running++;
  }
  parts.push(object('Profile', 'small', `{ config: { limits.processes: "${random.pick([100, 200])}" }, devices: {} }`));
  const optional = (probability: number, text: string): number => {
    if (!random.chance(probability)) return 0;
    parts.push(text);
    return 1;
  };
  const networks = optional(0.5, network(host, `ipv4.nat: "true", bridge.mtu: "${random.pick([1400, 1500])}"`));
  const dir = optional(0.5, object('StoragePool', 'more', '{ driver: dir }'));
  const btrfs = optional(0.3, object('StoragePool', 'loop', '{ driver: btrfs, config: { size: 128MiB } }'));
  const images = optional(0.5, fileImage(host, random.pick(['a', 'b'])));
  return { text: parts.join(''), instances, running, networks: 1 + networks, pools: 2 + dir + btrfs, images: 1 + images };
}

/** Everything is there once, and nothing else. */
export function checkCounts(declared: Declared, { lines, claims, tombstones }: Census, what: string): void {
  const count = (pattern: RegExp): number => lines.filter((line) => pattern.test(line)).length;
  const counted = {
    monitors: count(/^process monitor /),
    servers: count(/^process dnsmasq$/),
    helpers: count(/^process helper /),
    daemons: count(/^process daemon$/),
    veths: count(/^link of an instance$/),
    bridges: count(/^link .*-/),
    volumes: count(/^(?:subvolume|directory) pools\/[^/]+\/containers\/[^/]+$/),
    directories: count(/^directory instances\/[^/]+$/),
    pools: count(/^file pools\/[^/.]+\.json$/),
    images: count(/^directory images\/[0-9a-f]+$/),
    claims: claims - tombstones.length,
    unfinished: lines.filter((line) =>
      /^stray |^claim .*\?|^(?:file|directory|subvolume) .*(?:\.(?:new|tmp|removed|gone|broken)|~$)/.test(line),
    ),
  };
  const { instances, running, networks, pools, images } = declared;
  const wanted = {
    monitors: running,
    servers: networks,
    helpers: 1,
    daemons: 1,
    veths: running,
    bridges: networks,
    volumes: instances,
    directories: instances,
    pools,
    images,
    claims: instances,
    unfinished: [],
  };
  assert.deepEqual(counted, wanted, what);
}
