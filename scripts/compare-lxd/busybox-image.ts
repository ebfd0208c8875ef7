// Lockstep's busybox image in LXD's store.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildBusybox } from '../../src/host/images/busybox/build.ts';
import type { LxdPeer } from './peer.ts';

export async function importBusybox(peer: LxdPeer, alias: string): Promise<void> {
  const architecture = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  const { tarball } = await buildBusybox(architecture, AbortSignal.timeout(60_000));
  // LXD takes a creation date of 0 for a missing one. The archive's checksums are about its headers only.
  const at = tarball.indexOf('"creation_date":0');
  tarball.write('"creation_date":1', at, 'ascii');
  const file = 'busybox.tar';
  writeFileSync(join(peer.dir, file), tarball);
  try {
    await peer.importImage(file, alias);
  } finally {
    rmSync(join(peer.dir, file));
  }
}
