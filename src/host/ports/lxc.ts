// Containers as liblxc and the kernel know them. One directory per container below `<state-dir>/instances`:
//   config         complete liblxc config, written by us (0600)
//   instance.json  who it is: uid, ref, and what the planner wants to read back (0600); ownership is rebuilt from these
//   started.json   a copy of instance.json made at each start, by the monitor at a guest's reboot too: with what the container runs
//   exit.json      written by the monitor at the container's end
//   log            liblxc's log of the last start
//   devices/       device nodes we made (0711)

export interface ExitRecord {
  /** Epoch ms. */
  readonly at: number;
  /** Exit code of init, when it exited. A guest's clean poweroff is code 0 or signal SIGINT/SIGHUP, as the kernel reports reboot(2). */
  readonly code?: number;
  readonly signal?: number;
}

export type PowerState = 'Stopped' | 'Starting' | 'Running' | 'Frozen' | 'Stopping';

export interface ContainerReading {
  readonly name: string;
  readonly config: string | undefined;
  readonly record: string | undefined;
  readonly started: string | undefined;
  readonly exit: ExitRecord | undefined;
  readonly power: PowerState;
  readonly initPid: number | undefined;
  readonly monitorPid: number | undefined;
}

export interface StartReply {
  readonly initPid: number;
  readonly monitorPid: number;
}

export interface ExecRequest {
  readonly command: readonly string[];
  /** The whole environment: nothing is inherited from the daemon. */
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Ids inside the container. Default 0. */
  readonly uid?: number;
  readonly gid?: number;
  /** A terminal in the container's devpts; stdout and stderr are then one stream. */
  readonly terminal?: { readonly columns: number; readonly rows: number };
}

/** A running command. Close or kill it; its end is `exited`. */
export interface ExecProcess {
  readonly stdin: NodeJS.WritableStream;
  readonly stdout: NodeJS.ReadableStream;
  /** Absent with a terminal. */
  readonly stderr: NodeJS.ReadableStream | undefined;
  resize(columns: number, rows: number): void;
  signal(number: number): void;
  /** Exit code; 128 + n when ended by signal n; 127 not found, 126 not executable. */
  readonly exited: Promise<number>;
}

export interface InterfaceReading {
  readonly name: string;
  readonly hwaddr: string;
  readonly mtu: number;
  readonly up: boolean;
  /** With prefix length: `10.0.0.2/24`. */
  readonly addresses: readonly string[];
}

/** A directory or file of the host, or a tmpfs, mounted in a container. */
export interface PluggedMount {
  readonly is: 'mount';
  /** Undefined: a tmpfs of the container's own. */
  readonly source?: string;
  /** In the container, absolute. */
  readonly target: string;
  readonly directory: boolean;
  readonly readonly: boolean;
  readonly recursive: boolean;
  /** Of a tmpfs. */
  readonly sizeBytes?: number;
}

/** A device node of the host bound to its place in a container. */
export interface PluggedNode {
  readonly is: 'node';
  readonly source: string;
  readonly target: string;
  /** What a privileged container's device cgroup has to allow: `c 10:200 rwm`. */
  readonly rule?: string;
}

/** A veth pair: its host side in a bridge, its other one in the container. */
export interface PluggedNic {
  readonly is: 'nic';
  /** The host side's name. */
  readonly link: string;
  readonly bridge: string;
  /** The other side's name. */
  readonly interface: string;
  readonly hwaddr: string;
  readonly mtu?: number;
}

/** What a running container has of a device, as it is put in and taken out. Plain data: it is recorded. */
export type Plugged = PluggedMount | PluggedNode | PluggedNic;

export interface LxcPort {
  /**
   * One complete listing: every directory below instances/ and every container with a monitor. Throws when it is not complete.
   * What has not changed since it was last listed may be the same object. `names`: of these only; one that is then missing is not there.
   */
  list(names?: readonly string[]): Promise<ReadonlyMap<string, ContainerReading>>;
  /** Those of these that have a directory or a monitor, found in another way than by `list`: whether what that lacks is really not there. */
  traces(names: readonly string[]): Promise<ReadonlySet<string>>;
  /** Values of cgroup files of a running container, by file name (`memory.max`, `pids.max`); files that do not exist are left out. */
  cgroupValues(name: string, files: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Writes config and record (temporary file, fsync, rename), making the directory. Every value was checked for control characters. */
  define(name: string, files: { readonly config: string; readonly record: string }): Promise<void>;
  /** Makes device nodes below devices/, owned by the given host ids; removes those not listed. */
  setDeviceNodes(name: string, nodes: readonly DeviceNode[]): Promise<void>;
  /** Removes the directory, cgroups and whatever else a container leaves. It must be stopped. Missing is fine. */
  undefine(name: string): Promise<void>;
  /** Gives a stopped container another name, with all that lies in its directory. Done already is fine. */
  rename(name: string, to: string): Promise<void>;
  /** Resolves when RUNNING. Already running is fine. Copies instance.json to started.json first. */
  start(name: string, signal: AbortSignal): Promise<StartReply>;
  /** SIGKILL to all; resolves when the monitor is gone and cgroups are removed. Not running is fine. */
  kill(name: string, signal: AbortSignal): Promise<void>;
  /** Asks init to shut down (lxc.signal.halt) once it listens, or after a second; resolves when the signal is sent. */
  shutdown(name: string): Promise<void>;
  reboot(name: string): Promise<void>;
  /** Removes the exit record of a container that is not running: it counts as not having ended by itself. Missing is fine. */
  forgetExit(name: string): Promise<void>;
  freeze(name: string, signal: AbortSignal): Promise<void>;
  unfreeze(name: string, signal: AbortSignal): Promise<void>;
  setCgroup(name: string, file: string, value: string): Promise<void>;
  /**
   * Puts a device into a container that runs or is frozen: nothing inside has to do anything for it. A NIC is made anew when it is there; a
   * mount lies on top of what is there, so it is taken out first by whoever tries again. Rejects with DEVICE_REFUSED when its place in the
   * container cannot be used.
   */
  plug(name: string, device: Plugged, signal: AbortSignal): Promise<void>;
  /** Takes a device out of a container that runs or is frozen. Already gone is fine. */
  unplug(name: string, device: Plugged, signal: AbortSignal): Promise<void>;
  /** Replaces started.json: with what the container now runs. */
  markPlugged(name: string, started: string): Promise<void>;
  exec(name: string, request: ExecRequest): Promise<ExecProcess>;
  /**
   * Writes files below a root file system of a container that is not running, with every path resolved inside that root (the
   * image's author controls the symlinks in it). Parents are made 0755. Owner 0:0 on disk.
   */
  writeInRootfs(rootfs: string, files: readonly RootfsFile[]): Promise<void>;
  interfaces(name: string): Promise<readonly InterfaceReading[]>;
  /** Called with a container's name when its init or monitor ended or changed: "look again". Returns the unsubscribe function. */
  onChange(listener: (name: string) => void): () => void;
  /**
   * Called with a running container's name when a program wrote to its freezer or to a control file that was read (`cgroupValues`); with
   * undefined when such events were lost. One listener at a time.
   */
  onCgroupChange(listener: (name: string | undefined) => void): () => void;
}

export interface DeviceNode {
  /** File name below devices/. */
  readonly file: string;
  readonly type: 'char' | 'block';
  readonly major: number;
  readonly minor: number;
  /** Permission bits, e.g. 0o660. */
  readonly mode: number;
  /** Host ids, already shifted into the container's range. */
  readonly uid: number;
  readonly gid: number;
}

export interface RootfsFile {
  /** Absolute inside the root. */
  readonly path: string;
  readonly mode: number;
  readonly content: string;
}
