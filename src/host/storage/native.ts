// The part of the addon that storage uses, typed. Blocking work runs on the addon's worker threads; errors have an errno `code`.
import { loadNative } from '../lxc/binding.ts';

export interface BtrfsCalls {
  createSubvolume(path: string): Promise<void>;
  /** A writable snapshot of the subvolume `source`. EEXIST when something is there, or what an interrupted one has left. */
  snapshot(source: string, destination: string): Promise<void>;
  setReadonly(path: string, readonly: boolean): Promise<void>;
  /** With the subvolumes inside it, and with what an interrupted `snapshot` to there has left. Missing is fine. */
  deleteSubvolume(path: string): Promise<void>;
  /** `simple`: each extent counts for the subvolume that wrote it (kernel 6.7); else it counts where it is referred to. */
  enableQuota(path: string, simple: boolean): Promise<void>;
  /** ENOTCONN while quotas are off. 0 bytes: no limit. */
  limitSubvolume(path: string, bytes: number): Promise<void>;
  /** After the device below grew. */
  growToDevice(path: string): Promise<void>;
}

interface StorageAddon {
  readonly btrfs: BtrfsCalls;
  /** For each path `inode:size:mtime:ctime`; undefined when missing. */
  statMany(paths: readonly string[]): Promise<(string | undefined)[]>;
  /** Contents; undefined when missing. */
  readMany(paths: readonly string[]): Promise<(string | undefined)[]>;
  /** Where links lead; undefined when missing or no link. */
  readLinks(paths: readonly string[]): Promise<(string | undefined)[]>;
  /** Owner and mode of a directory; then the link in it says `text`. */
  ownVolume(path: string, id: number, mode: number, link: string, text: string): Promise<void>;
  takesIdmappedMounts(path: string): Promise<boolean>;
}

export function storageAddon(): StorageAddon {
  return loadNative<StorageAddon>();
}
