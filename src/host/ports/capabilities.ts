// What this host can do, probed once at start (and again by `doctor`): data that pure code plans with.

export interface IdRange {
  /** First host uid/gid. */
  readonly first: number;
  readonly count: number;
}

export interface HostCapabilities {
  /** `v2`: the unified hierarchy only. `hybrid`: v1 controllers, with or without a unified tree beside them. */
  readonly cgroup: 'v2' | 'hybrid';
  /** Controllers that can be used for containers: cpu, cpuset, memory, pids, io or blkio, freezer, devices, hugetlb. */
  readonly controllers: ReadonlySet<string>;
  /** v1: swap accounting is on (memory.memsw.* exists). v2: memory.swap.max exists. */
  readonly swapAccounting: boolean;
  readonly apparmor: boolean;
  readonly seccomp: boolean;
  /** Path of a mounted lxcfs, e.g. `/var/lib/lxcfs`. */
  readonly lxcfs: string | undefined;
  /** As in `lxc.arch`: x86_64, aarch64. */
  readonly architecture: string;
  readonly liblxc: string;
  readonly memoryBytes: number;
  /** CPU numbers online. */
  readonly cpus: readonly number[];
  /** Ids that containers may be given (whole range; instances get 65536 each from the top downwards). */
  readonly ids: IdRange;
  /** We run in a container ourselves (not all host ids are mapped): device nodes cannot be made, they are bound from the host's. */
  readonly nested: boolean;
}
