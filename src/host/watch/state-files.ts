// The files below the state directory that say how something on the host is: when another program changes or removes one of them, what
// it describes is looked at. One watch per directory, so an event names the object it is about; the daemon's own writes come back as
// events too, which ask for one more look and no more, because a look writes nothing.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { AppError } from '../../core/errors.ts';
import type { Paths } from '../../core/paths.ts';
import { PathWatches } from './path-watches.ts';

export interface StateFileTargets {
  /** The container of this name. */
  instance(name: string): void;
  /** The network of this bridge. */
  network(bridge: string): void;
  pools(): void;
  images(): void;
  /** Events were lost. */
  everything(): void;
  failed(error: AppError): void;
}

/** What an instance is observed from (Listing); its log and its exit record are not drift. */
const INSTANCE_FILES = new Set(['config', 'instance.json', 'started.json']);
/** What dnsmasq reads. Leases and logs are its own. */
const NETWORK_FILES = new Set(['dnsmasq.hosts', 'dnsmasq.names']);
const IMAGE_FILES = new Set(['image.json']);

/** Returns the function that ends it. */
export function watchStateFiles(paths: Paths, targets: StateFileTargets): () => void {
  const watches = new PathWatches({ lost: () => targets.everything(), failed: (error) => targets.failed(error) });
  watchTree(watches, paths.instances, INSTANCE_FILES, (name) => targets.instance(name));
  watchTree(watches, paths.networks, NETWORK_FILES, (bridge) => targets.network(bridge));
  watchTree(watches, paths.images, IMAGE_FILES, () => targets.images());
  // Records of pools, mount points and loop files; what lies in a pool is not watched.
  for (const directory of [paths.pools, paths.disks]) watches.watch(directory, 'directory', () => targets.pools());
  return () => watches.close();
}

/** A directory of directories, one per object: `changed` is told whose files were touched, or that one came or went. */
function watchTree(watches: PathWatches, root: string, files: ReadonlySet<string>, changed: (name: string) => void): void {
  const watchOne = (name: string): void => {
    // Half-made and half-removed ones begin with a dot.
    if (name.startsWith('.')) return;
    watches.watch(join(root, name), 'directory', (file) => {
      // The watch has ended with the directory, which may have been made again, or have got this name, before that was told.
      if (file === '') watchOne(name);
      if (file === '' || files.has(file)) changed(name);
    });
  };
  watches.watch(root, 'directory', (name) => {
    if (name === '' || name.startsWith('.')) return;
    watchOne(name);
    changed(name);
  });
  for (const name of readdirSync(root)) watchOne(name);
}
