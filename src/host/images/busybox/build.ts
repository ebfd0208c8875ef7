// Builds the busybox image: one static binary of the host's distribution, a link per applet, and a few files. Takes milliseconds and
// gives the same archive, and so the same fingerprint, for the same busybox.
import { open } from 'node:fs/promises';
import { AppError, isErrno } from '../../../core/errors.ts';
import { mustRun } from '../../run/run.ts';
import { DIRECTORIES, FILES, HALT_SIGNAL, LINKS, REBOOT_SIGNAL } from './files.ts';
import { type TarEntry, writeTar } from './tar-writer.ts';

const CANDIDATES = ['/bin/busybox', '/usr/bin/busybox', '/bin/busybox.static'];
const MAX_BINARY_BYTES = 32 * 1024 ** 2;

export interface BusyboxImage {
  /** A unified image tarball without compression. */
  readonly tarball: Buffer;
  readonly properties: Readonly<Record<string, string>>;
}

export async function buildBusybox(architecture: string, signal: AbortSignal): Promise<BusyboxImage> {
  const binary = await findStaticBusybox();
  const { stdout } = await mustRun([binary.path, '--list-full'], { signal, timeoutMs: 10_000 });
  const applets = stdout.split('\n').filter((path) => /^[a-z]+(?:\/[a-z]+)?\/[^/\s]+$/.test(path));
  const lacking = ['sbin/init', 'bin/sh', 'sbin/uevent'].filter((path) => !applets.includes(path));
  if (lacking.length > 0) {
    throw new AppError(
      'IMAGE_BUILD_FAILED',
      { path: binary.path },
      {
        message: `"${binary.path}" cannot be what an image is made of: it has no ${lacking.join(', no ')}.`,
        hint: 'Install it: apt-get install busybox-static',
      },
    );
  }
  const properties = {
    architecture,
    description: 'busybox, static',
    name: 'busybox',
    os: 'busybox',
    'signal.halt': HALT_SIGNAL,
    'signal.reboot': REBOOT_SIGNAL,
  };
  return { tarball: writeTar(entries(binary.content, applets, metadataText(architecture, properties))), properties };
}

function metadataText(architecture: string, properties: Readonly<Record<string, string>>): string {
  // JSON is YAML. No time of creation: the archive is to be the same whenever it is made.
  return `${JSON.stringify({ architecture, creation_date: 0, properties })}\n`;
}

function entries(busybox: Uint8Array, applets: readonly string[], metadata: string): TarEntry[] {
  const list: TarEntry[] = [
    { type: 'file', path: 'metadata.yaml', mode: 0o644, content: Buffer.from(metadata) },
    { type: 'directory', path: 'rootfs', mode: 0o755 },
  ];
  for (const { path, mode } of DIRECTORIES) list.push({ type: 'directory', path: `rootfs/${path}`, mode });
  list.push({ type: 'file', path: 'rootfs/bin/busybox', mode: 0o755, content: busybox });
  const taken = new Set(['bin/busybox']);
  for (const path of applets) {
    if (taken.has(path)) continue;
    taken.add(path);
    list.push({ type: 'symlink', path: `rootfs/${path}`, target: '/bin/busybox' });
  }
  for (const { path, target } of LINKS) list.push({ type: 'symlink', path: `rootfs/${path}`, target });
  for (const { path, mode, text } of FILES) list.push({ type: 'file', path: `rootfs/${path}`, mode, content: Buffer.from(text) });
  return list;
}

async function findStaticBusybox(): Promise<{ path: string; content: Buffer }> {
  for (const path of CANDIDATES) {
    const content = await readBinary(path);
    if (content !== undefined && isStaticElf(content)) return { path, content };
  }
  throw new AppError(
    'TOOL_MISSING',
    { program: 'busybox' },
    { message: 'There is no statically linked busybox on this host.', hint: 'Install it: apt-get install busybox-static' },
  );
}

async function readBinary(path: string): Promise<Buffer | undefined> {
  try {
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      return size > MAX_BINARY_BYTES ? undefined : await file.readFile();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** True for a little-endian 64-bit ELF without a program header PT_INTERP: it needs no loader and no libraries (elf(5)). */
export function isStaticElf(content: Buffer): boolean {
  const PT_INTERP = 3;
  if (content.length < 64 || content.readUInt32BE(0) !== 0x7f_45_4c_46 || content[4] !== 2 || content[5] !== 1) return false;
  const tableAt = Number(content.readBigUInt64LE(32));
  const entryBytes = content.readUInt16LE(54);
  const count = content.readUInt16LE(56);
  for (let at = tableAt; at < tableAt + count * entryBytes; at += entryBytes) {
    if (at + 4 > content.length || content.readUInt32LE(at) === PT_INTERP) return false;
  }
  return true;
}
