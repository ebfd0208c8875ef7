// The native addon's raw types, and the only place that loads it. Meaning and limits of each call are in native/src/*.cc.
// LOCKSTEP_NATIVE names another build directory (the one with the address sanitizer).
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { AppError } from '../../core/errors.ts';

/** What rejected and thrown native errors look like. `code` is one of ours or an errno name, `log` liblxc's words for this call. */
export interface NativeError extends Error {
  readonly code: string;
  readonly log: string;
  readonly errno?: number;
}

/** Closed handles throw HANDLE_CLOSED; closing twice is fine; calls that already run finish. */
export interface NativeContainer {
  close(): void;
  /** Waits while the monitor is starting or rebooting; a monitor that is stopped never answers. */
  state(): Promise<{ readonly state: string; readonly initPid: number | undefined }>;
  stop(): Promise<void>;
  shutdown(): Promise<void>;
  reboot(): Promise<void>;
  freeze(): Promise<void>;
  unfreeze(): Promise<void>;
  getCgroupItem(file: string): Promise<string>;
  setCgroupItem(file: string, value: string): Promise<void>;
  getConfigItem(key: string): Promise<string>;
  setConfigItem(key: string, value: string): Promise<void>;
  clearConfigItem(key: string): Promise<void>;
  loadConfig(file: string): Promise<void>;
  saveConfig(file: string): Promise<void>;
  getRunningConfigItem(key: string): Promise<string>;
}

export interface NativeProcess {
  /** Called once when it ended, also when that was before. Does not keep the event loop alive. */
  onExit(listener: () => void): void;
  /** False when it has ended. */
  signal(number: number): boolean;
  /** Wait status after its parent reaped it, where the kernel tells (6.15). */
  exitStatus(): number | undefined;
  alive(): boolean;
  close(): void;
}

export interface NativeZygote {
  readonly pid: number;
  send(id: number, op: number, fields: readonly string[], fds: readonly number[]): void;
  /** Whether the event loop waits for messages. */
  keepAlive(wanted: boolean): void;
  close(): void;
}

/** inotify: watches are numbers; what comes within 20 ms is told at once. Does not keep the event loop alive. */
export interface NativeFileWatch {
  /** A directory's entries, or one control file of a cgroup. Throws with errno's name as code. */
  add(path: string, what: 'directory' | 'file'): number;
  remove(watch: number): void;
  close(): void;
}

export interface NativeInterface {
  readonly name: string;
  readonly hwaddr: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly addresses: readonly string[];
}

export interface Native {
  openContainer(lxcpath: string, name: string): Promise<NativeContainer>;
  lxcVersion(): string;
  lxcHasExtension(name: string): boolean;
  readonly Process: new (from: { readonly pid: number } | { readonly fd: number }) => NativeProcess;
  /** `changes`: watch and entry name in turn, the name empty for what is watched itself. `lost`: anything may have changed. */
  readonly FileWatch: new (listener: (changes: readonly (number | string)[], lost: boolean) => void) => NativeFileWatch;
  /** The mount table of the daemon's mount namespace. */
  readonly MountWatch: new (listener: () => void) => { close(): void };
  readonly Zygote: new (
    path: string,
    onMessage: (id: number, op: number, fields: string[], fds: number[]) => void,
    onLost: () => void,
  ) => NativeZygote;
  statMany(paths: readonly string[]): Promise<(string | undefined)[]>;
  readMany(paths: readonly string[]): Promise<(string | undefined)[]>;
  readLinks(paths: readonly string[]): Promise<(string | undefined)[]>;
  /** `files`: name, content, name, content ... */
  replaceFiles(directory: string, files: readonly string[], make: boolean, sync: boolean): Promise<void>;
  /** On ext4: the directories made in it lie far from each other. */
  spreadDirectories(path: string): Promise<void>;
  copyFile(directory: string, from: string, to: string, removed: string): Promise<void>;
  removeDirectory(path: string, aside: string): Promise<void>;
  /** Says what is left. */
  removeCgroups(paths: readonly string[], patienceMs: number): Promise<string | undefined>;
  makeNode(path: string, type: 'char' | 'block', major: number, minor: number, mode: number, uid: number, gid: number): Promise<void>;
  lockFile(path: string): number | undefined;
  makePipe(): [number, number];
  setWindowSize(fd: number, columns: number, rows: number): void;
  /** Gives back what is free in the C heap. */
  trimMemory(): void;
  sdNotify(text: string): boolean;
  peerCredentials(fd: number): { readonly pid: number; readonly uid: number; readonly gid: number };
  listenerOf(path: string): { readonly pid: number; readonly uid: number; readonly gid: number } | undefined;
  interfacesOf(initPid: number): Promise<NativeInterface[]>;
}

/** Where the addon and the helper lie. */
export function nativeDir(): string {
  return resolve(process.env['LOCKSTEP_NATIVE'] ?? join(import.meta.dirname, '../../../native/build'));
}

let loaded: object | undefined;

/** The addon's exports, loaded at the first call. Other areas of the addon (netlink) give their own type. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- each area states what it takes the exports for
export function loadNative<T extends object = Native>(): T {
  try {
    loaded ??= createRequire(import.meta.url)(join(nativeDir(), 'lxc.node')) as object;
  } catch (cause) {
    throw new AppError(
      'FEATURE_MISSING',
      { path: nativeDir() },
      {
        message: `The native part cannot be loaded from ${nativeDir()}.`,
        hint: 'Build it with "npm run build:native"; it needs g++, make, pkg-config, lxc-dev, libnl-3-dev and libnl-route-3-dev.',
        cause,
      },
    );
  }
  return loaded as T;
}
