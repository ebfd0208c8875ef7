// A container's directory: config and records (0600, written to a temporary file, synced, renamed), device nodes, removal.
// The directory and its parents are 0711, because liblxc checks as the container's root whether it can be reached.
import { chmod, lstat, mkdir, readdir, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError, isErrno, toAppError } from '../../core/errors.ts';
import type { Paths } from '../../core/paths.ts';
import type { DeviceNode } from '../ports/lxc.ts';
import { loadNative } from './binding.ts';
import { fromNative } from './native-failure.ts';

/** Half-removed directories carry this name; they are no containers. */
const REMOVED = /^\.removed\./;

/** Refuses what would make liblxc read something else than what was written. The text itself is made by the instance kind. */
export function checkConfig(name: string, config: string): void {
  const refuse = (line: number, why: string): never => {
    throw new AppError('VALUE_INVALID', { name, line }, { message: `Line ${line} of the LXC configuration of "${name}" ${why}.` });
  };
  for (const [index, line] of config.split('\n').entries()) {
    // A line end inside a value would start an item of its own, run as root; liblxc ends lines at CR, too.
    // oxlint-disable-next-line no-control-regex
    if (/[\u0000-\u001f\u007f]/.test(line)) refuse(index + 1, 'holds a control character');
    // Included files would not be seen when the configuration is compared, and they can hold hooks.
    if (/^\s*lxc\.include\b/.test(line)) refuse(index + 1, 'includes another file');
  }
}

export function checkName(name: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name) || name.length > 200 || name.includes('..')) {
    throw new AppError('NAME_INVALID', { name }, { message: `"${name}" cannot be the name of a container.` });
  }
}

export async function writeContainer(
  paths: Paths,
  name: string,
  files: { readonly config: string; readonly record: string },
): Promise<void> {
  checkName(name);
  checkConfig(name, files.config);
  checkSize(name, 'configuration', files.config);
  checkSize(name, 'record', files.record);
  try {
    await loadNative().replaceFiles(paths.instance(name), ['config', files.config, 'instance.json', files.record], true, true);
  } catch (error) {
    throw fileFailure(error, name);
  }
}

/**
 * Files of more than 4 MiB are not read back (readMany), and then nothing could be said of any container. The record of what was started is a
 * little longer than that of what is declared.
 */
const MAX_FILE_BYTES = 3 * 1024 * 1024;

function checkSize(name: string, what: string, text: string): void {
  const bytes = Buffer.byteLength(text);
  if (bytes < MAX_FILE_BYTES) return;
  const message = `The ${what} of container "${name}" would have ${bytes} bytes; less than ${MAX_FILE_BYTES} can be kept.`;
  throw new AppError(
    'VALUE_INVALID',
    { name },
    { message, hint: 'Put long values ("user.*", cloud-init) into a file of the image or on a volume.' },
  );
}

/**
 * With what the container is started: a copy of its record, and no exit record of an earlier run. Not synced, as below: what a power cut
 * takes of it, it takes with the container.
 */
export async function markStarted(paths: Paths, name: string): Promise<void> {
  const directory = paths.instance(name);
  try {
    await loadNative().copyFile(directory, 'instance.json', 'started.json', 'exit.json');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) throw new AppError('NOT_FOUND', { name }, { message: `There is no container "${name}".`, cause: error });
    throw fileFailure(error, name);
  }
}

/** With what the container runs by now. */
export async function writeStarted(paths: Paths, name: string, started: string): Promise<void> {
  checkName(name);
  try {
    await loadNative().replaceFiles(paths.instance(name), ['started.json', started], false, false);
  } catch (error) {
    throw fileFailure(error, name);
  }
}

function fileFailure(error: unknown, name: string): AppError {
  return fromNative(error, 'FILE_FAILED', `The files of container "${name}" could not be written`, { name });
}

/** Missing is fine. */
export async function removeExitRecord(paths: Paths, name: string): Promise<void> {
  try {
    await rm(join(paths.instance(name), 'exit.json'), { force: true });
  } catch (error) {
    throw toAppError(error, 'FILE_FAILED', { name });
  }
}

/** Removes the directory in one step (it is renamed first), and liblxc's lock file. Missing is fine. */
export async function removeContainer(paths: Paths, name: string, nowMs: number): Promise<void> {
  checkName(name);
  const hidden = join(paths.instances, `.removed.${name}.${nowMs}`);
  try {
    await loadNative().removeDirectory(paths.instance(name), hidden);
  } catch (error) {
    throw fileFailure(error, name);
  }
  await unlink(join('/run/lxc/lock', paths.instances, `.${name}`)).catch(() => undefined);
}

/** Ends removals a crash interrupted. */
export async function sweepRemoved(paths: Paths): Promise<void> {
  for (const entry of await readdir(paths.instances)) {
    if (REMOVED.test(entry)) await rm(join(paths.instances, entry), { recursive: true, force: true });
  }
}

/** Makes the listed nodes below devices/ and removes the others. A node that is as it should be is not touched. */
export async function writeDeviceNodes(paths: Paths, name: string, nodes: readonly DeviceNode[]): Promise<void> {
  checkName(name);
  const directory = join(paths.instance(name), 'devices');
  try {
    if (nodes.length === 0 && (await loadNative().statMany([directory]))[0] === undefined) return;
    await mkdir(directory, { recursive: true, mode: 0o711 });
    await chmod(directory, 0o711);
    const wanted = new Set(nodes.map((node) => node.file));
    for (const file of wanted) {
      if (!/^[A-Za-z0-9._-]{1,255}$/.test(file) || file === '.' || file === '..') {
        throw new AppError('VALUE_INVALID', { name, file }, { message: `"${file}" cannot be the name of a device node.` });
      }
    }
    for (const file of await readdir(directory)) {
      if (!wanted.has(file)) await rm(join(directory, file), { recursive: true, force: true });
    }
    for (const node of nodes) {
      const path = join(directory, node.file);
      if (await isNode(path, node)) continue;
      await loadNative().makeNode(path, node.type, node.major, node.minor, node.mode, node.uid, node.gid);
    }
  } catch (error) {
    throw fromNative(error, 'FILE_FAILED', `The device nodes of container "${name}" could not be made`, { name });
  }
}

async function isNode(path: string, node: DeviceNode): Promise<boolean> {
  try {
    const now = await lstat(path);
    const typed = node.type === 'block' ? now.isBlockDevice() : now.isCharacterDevice();
    // dev_t as glibc makes it (makedev(3)): 12 bits of major and 20 of minor, for every number in use.
    const rdev = ((node.major & 0xfff) << 8) | (node.minor & 0xff) | ((node.minor & 0xfff00) << 12);
    return typed && now.rdev === rdev >>> 0 && (now.mode & 0o7777) === node.mode && now.uid === node.uid && now.gid === node.gid;
  } catch {
    return false;
  }
}
