// Builds a Debian image with systemd and cloud-init by mmdebstrap: the root as a zstd tarball and a metadata tarball beside it, which is
// LXD's split format. The root file system is set up by files laid into it, not by programs run in it.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../../core/errors.ts';
import type { ImageSource } from '../../ports/images.ts';
import { mustRun } from '../../run/run.ts';
import { hostArchitecture } from '../architecture.ts';
import { writeTar } from '../busybox/tar-writer.ts';
import type { Progress } from '../image-port.ts';
import type { NewImage } from '../image-store.ts';
import { hostSources, mirrorLines } from './mirror.ts';
import { overlayEntries } from './overlay.ts';
import { BASE_PACKAGES } from './packages.ts';
import { progressOf } from './progress.ts';

type DebianSource = Extract<ImageSource, { readonly type: 'build-debian' }>;

const BUILD_TIMEOUT_MS = 30 * 60_000;
const COMPRESS_TIMEOUT_MS = 10 * 60_000;
const OVERLAY = 'overlay.tar';
const PLAIN = 'rootfs.tar';
const COMPRESSED = 'rootfs.tar.zst';
const METADATA = 'metadata.tar';

// They get to mmdebstrap and apt as words of a command line; the manifest's schema allows no more either.
const RELEASE = /^[a-z][a-z0-9-]{0,31}$/;
const PACKAGE = /^[a-z0-9][a-z0-9+.-]{0,127}$/;
const VARIANTS = new Set(['apt', 'minbase', 'important', 'standard']);
const MIRROR = /^https?:\/\/[\x21\x23-\x26\x28-\x3b\x3d\x3f-\x7e]{1,1000}$/;

export async function buildDebian(source: DebianSource, directory: string, progress: Progress, signal: AbortSignal): Promise<NewImage> {
  checkSource(source);
  await writeFile(join(directory, OVERLAY), writeTar(overlayEntries()), { mode: 0o600 });
  const mirrors = source.mirror === undefined ? mirrorLines(await hostSources(), source.release) : [source.mirror];
  progress('starting mmdebstrap', 0);
  try {
    // In the image's directory: names on the command line of hooks are then plain words, whatever the state directory is called.
    await mustRun(mmdebstrapArguments(source, mirrors), {
      signal,
      timeoutMs: BUILD_TIMEOUT_MS,
      cwd: directory,
      onStderrLine: progressOf(progress),
    });
  } catch (cause) {
    throw buildError(cause, source.release);
  }
  await rm(join(directory, OVERLAY));
  progress('compressing the image', 0.95);
  const plain = join(directory, PLAIN);
  const unpackedBytes = (await stat(plain)).size;
  await mustRun(['zstd', '--quiet', '--force', '-3', '--threads=0', '--rm', '--', plain], { signal, timeoutMs: COMPRESS_TIMEOUT_MS });
  return await describeImage(source, directory, unpackedBytes);
}

function checkSource(source: DebianSource): void {
  const bad = [
    RELEASE.test(source.release) ? undefined : `release ${JSON.stringify(source.release)}`,
    source.variant === undefined || VARIANTS.has(source.variant) ? undefined : `variant ${JSON.stringify(source.variant)}`,
    source.mirror === undefined || MIRROR.test(source.mirror) ? undefined : `mirror ${JSON.stringify(source.mirror)}`,
    ...source.packages.map((name) => (PACKAGE.test(name) ? undefined : `package name ${JSON.stringify(name)}`)),
  ].find((text) => text !== undefined);
  if (bad === undefined) return;
  throw new AppError('VALUE_INVALID', {}, { message: `The ${bad} of a Debian image is not allowed.` });
}

function mmdebstrapArguments(source: DebianSource, mirrors: readonly string[]): string[] {
  const packages = [...new Set([...BASE_PACKAGES, ...source.packages])];
  return [
    'mmdebstrap',
    '--mode=root',
    '--format=tar',
    `--variant=${source.variant ?? 'minbase'}`,
    `--include=${packages.join(',')}`,
    '--aptopt=Acquire::Languages "none"',
    // mmdebstrap copies the host's name and resolver into the new root for its own use. A fixed text; the root is its argument.
    '--customize-hook=rm -f "$1/etc/hostname" "$1/etc/resolv.conf"',
    `--customize-hook=tar-in ${OVERLAY} /`,
    source.release,
    PLAIN,
    ...mirrors,
  ];
}

function buildError(cause: unknown, release: string): unknown {
  if (!(cause instanceof AppError) || cause.code !== 'TOOL_FAILED') return cause;
  if (cause.message.includes('No space left on device')) {
    return new AppError('DISK_FULL', { release }, { message: `There is no space left to build the Debian image of "${release}".`, cause });
  }
  return new AppError(
    'IMAGE_BUILD_FAILED',
    { release },
    {
      message: `The Debian image of release "${release}" could not be built.`,
      hint: 'Check the release, the package names, and that the mirror can be reached from this host.',
      cause,
    },
  );
}

async function describeImage(source: DebianSource, directory: string, unpackedBytes: number): Promise<NewImage> {
  const architecture = hostArchitecture();
  const properties = {
    architecture,
    description: `Debian ${source.release}, built here`,
    name: `debian-${source.release}`,
    os: 'debian',
    release: source.release,
    variant: source.variant ?? 'minbase',
    // systemd(1): SIGRTMIN+4 is poweroff, SIGINT is Ctrl-Alt-Del, which reboots. liblxc would guess the first by itself.
    'signal.halt': 'SIGRTMIN+4',
    'signal.reboot': 'SIGINT',
  };
  const metadata = `${JSON.stringify({ architecture, creation_date: Math.floor(Date.now() / 1000), properties })}\n`;
  const tarball = writeTar([{ type: 'file', path: 'metadata.yaml', mode: 0o644, content: Buffer.from(metadata) }]);
  await writeFile(join(directory, METADATA), tarball, { mode: 0o600 });
  const hash = createHash('sha256').update(tarball);
  const rootfs = join(directory, COMPRESSED);
  for await (const chunk of createReadStream(rootfs)) hash.update(chunk as Buffer);
  return {
    fingerprint: hash.digest('hex'),
    sizeBytes: tarball.length + (await stat(rootfs)).size,
    unpackedBytes,
    properties,
    architecture,
    metadataFile: METADATA,
    rootfs: { as: 'tar', file: COMPRESSED },
  };
}
