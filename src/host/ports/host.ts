// The host as the kinds' appliers see it. daemon.ts builds the real one; test/fakes/memory-host.ts models the same facts in memory.
import type { HostCapabilities } from './capabilities.ts';
import type { FilesPort } from './files.ts';
import type { ImagePort } from './images.ts';
import type { LxcPort } from './lxc.ts';
import type { NetworkPort } from './network.ts';
import type { StoragePort } from './storage.ts';

export interface Host {
  readonly capabilities: HostCapabilities;
  readonly lxc: LxcPort;
  readonly storage: StoragePort;
  readonly network: NetworkPort;
  readonly images: ImagePort;
  readonly files: FilesPort;
}
