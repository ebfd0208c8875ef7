// Where things lie below the state and run directories. Pure; who may read what is in docs/architecture.md.
import { join } from 'node:path';

export interface Paths {
  readonly stateDir: string;
  readonly runDir: string;
  readonly ledger: string;
  /** The lxcpath: `lxc-ls -P` sees our containers here. */
  readonly instances: string;
  readonly pools: string;
  readonly disks: string;
  readonly images: string;
  readonly networks: string;
  readonly socket: string;
  instance(lxcName: string): string;
  pool(name: string): string;
  /** The loop file of a pool. */
  disk(pool: string): string;
  network(bridge: string): string;
}

export function makePaths(stateDir: string, runDir: string): Paths {
  const instances = join(stateDir, 'instances');
  const pools = join(stateDir, 'pools');
  const disks = join(stateDir, 'disks');
  const networks = join(stateDir, 'networks');
  return {
    stateDir,
    runDir,
    ledger: join(stateDir, 'ledger.db'),
    instances,
    pools,
    disks,
    images: join(stateDir, 'images'),
    networks,
    socket: join(runDir, 'lockstep.sock'),
    instance: (lxcName) => join(instances, lxcName),
    pool: (name) => join(pools, name),
    disk: (pool) => join(disks, `${pool}.img`),
    network: (bridge) => join(networks, bridge),
  };
}
