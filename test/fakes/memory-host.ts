// A host in memory that models facts (containers' files and processes, links, rules, pools, volumes, images), not specs. The kinds'
// appliers change it and their observers read it, as they do with the real one.
import { type Host } from '../../src/host/ports/host.ts';
import type { HostPathReading } from '../../src/host/ports/files.ts';
import { TEST_CAPABILITIES } from './engine-input.ts';
import { MemoryImages } from './memory-images.ts';
import { MemoryLxc } from './memory-lxc.ts';
import { MemoryNetwork } from './memory-network.ts';
import { MemoryStorage } from './memory-storage.ts';

export class MemoryHost implements Host {
  readonly capabilities = TEST_CAPABILITIES;
  readonly network = new MemoryNetwork();
  readonly lxc = new MemoryLxc(() => Date.now(), this.network);
  readonly images = new MemoryImages();
  readonly storage = new MemoryStorage(this.images);
  /** Host paths that devices may name. */
  readonly paths = new Map<string, HostPathReading>();
  readonly files = { stat: async (path: string): Promise<HostPathReading> => this.paths.get(path) ?? { is: 'missing' } };
}
