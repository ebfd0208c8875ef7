// What is declared during a soak run, changed a little with each commit: instances on two pools, a second network, an image and a profile.
import type { Declared } from '../../test/host/crash/workload.ts';
import { object } from '../../test/host/crash/paths.ts';
import { foundation, instance, subnetOf } from '../../test/host/manifests.ts';
import type { Seeded } from '../seeded-random.ts';

const MOST = 14;
const AT_FIRST = 10;

interface Member {
  state: 'Running' | 'Stopped' | 'Frozen';
  memory: string;
  nesting: boolean;
}

export class Fleet {
  readonly #random: Seeded;
  readonly #prefix: string;
  readonly #members = new Map<number, Member>();
  #second = true;
  #processes = 100;

  constructor(random: Seeded, prefix: string) {
    this.#random = random;
    this.#prefix = prefix;
    for (let number = 0; number < AT_FIRST; number++) this.#members.set(number, { state: 'Running', memory: '64MiB', nesting: false });
  }

  /** Changes one to three things; says which, as a commit message. */
  change(): string {
    const said: string[] = [];
    for (let times = this.#random.between(1, 4); times > 0; times--) said.push(this.#changeOne());
    return said.join(', ');
  }

  #changeOne(): string {
    const random = this.#random;
    if (random.chance(0.08)) {
      this.#second = !this.#second;
      return `network two ${this.#second ? 'added' : 'removed'}`;
    }
    if (random.chance(0.08)) {
      this.#processes = random.between(80, 200);
      return 'profile changed';
    }
    const number = random.between(0, MOST);
    const member = this.#members.get(number);
    if (member === undefined) {
      this.#members.set(number, { state: 'Running', memory: '64MiB', nesting: false });
      return `c${number} added`;
    }
    if (random.chance(0.2)) {
      this.#members.delete(number);
      return `c${number} removed`;
    }
    const what = random.pick(['memory', 'state', 'nesting'] as const);
    if (what === 'memory') member.memory = random.pick(['64MiB', '80MiB', '96MiB']);
    else if (what === 'state') member.state = random.pick(['Running', 'Running', 'Stopped', 'Frozen']);
    else member.nesting = !member.nesting;
    return `c${number} changed`;
  }

  get names(): string[] {
    return [...this.#members.keys()].map((number) => `c${number}`);
  }

  text(): string {
    const parts = [
      foundation(this.#prefix, 'driver: btrfs, config: { size: 2GiB }'),
      object('StoragePool', 'plain', '{ driver: dir }'),
      object('Profile', 'small', `{ config: { limits.processes: "${this.#processes}" }, devices: {} }`),
    ];
    if (this.#second) {
      const [a, b, c = 0] = subnetOf(this.#prefix).split('.').map(Number);
      const address = `${a}.${b}.${(c + 1) % 256}.1/24`;
      parts.push(object('Network', 'two', `{ type: bridge, config: { ipv4.address: ${address}, ipv4.nat: "true" } }`));
    }
    for (const [number, { state, memory, nesting }] of this.#members) {
      const root = number % 2 === 0 ? 'pool: fast, size: 64MiB' : 'pool: plain';
      const config = `config: { limits.memory: ${memory}, security.nesting: "${nesting}" }`;
      parts.push(
        instance(
          `c${number}`,
          `profiles: [default, small], state: ${state}, ${config}, devices: { root: { type: disk, path: /, ${root} } }`,
        ),
      );
    }
    return parts.join('');
  }

  declared(): Declared {
    const members = [...this.#members.values()];
    return {
      text: this.text(),
      instances: members.length,
      running: members.filter(({ state }) => state !== 'Stopped').length,
      networks: this.#second ? 2 : 1,
      pools: 2,
      images: 1,
    };
  }
}
