// Devices put into a container that runs and taken out of it: mounts and nodes by the helper, which enters the container's namespaces,
// NICs by rtnetlink, which makes the other side of the veth pair right in its network namespace.
import { open } from 'node:fs/promises';
import { AppError, isErrno } from '../../core/errors.ts';
import { rawNetlink } from '../network/link/netlink-binding.ts';
import type { Plugged, PluggedNic } from '../ports/lxc.ts';
import type { Helper } from './helper.ts';

/** A running container, as its monitor knows it. */
export interface Inhabited {
  readonly name: string;
  readonly initPid: number;
  readonly monitorPid: number;
}

export async function plugDevice(
  helper: Helper,
  container: Inhabited,
  device: Plugged,
  stillRuns: () => boolean,
  signal: AbortSignal,
): Promise<void> {
  if (device.is === 'nic') await plugNic(container, device, stillRuns);
  else await askHelper(helper, container, 'plug', device, signal);
}

export async function unplugDevice(helper: Helper, container: Inhabited, device: Plugged, signal: AbortSignal): Promise<void> {
  if (device.is === 'nic') await deleteLink(container, device);
  else await askHelper(helper, container, 'unplug', device, signal);
}

async function askHelper(
  helper: Helper,
  { name, initPid, monitorPid }: Inhabited,
  what: 'plug' | 'unplug',
  device: Exclude<Plugged, PluggedNic>,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const { source = '', target } = device;
  const mount = device.is === 'mount' ? device : undefined;
  const kind = mount === undefined ? 'node' : mount.source === undefined ? 'tmpfs' : mount.directory ? 'directory' : 'file';
  const flag = (set: boolean | undefined): string => (set === true ? '1' : '');
  const options = [flag(mount?.readonly), flag(mount?.recursive), mount?.sizeBytes?.toString() ?? ''];
  const fields = [String(initPid), String(monitorPid), what, kind, source, target, ...options];
  if (fields.some((field) => field.includes('\0'))) {
    throw new AppError('VALUE_INVALID', { name, target }, { message: `A path of a device of container "${name}" holds a NUL character.` });
  }
  const { id, reply } = helper.request('plug', fields);
  // A file system that the guest serves itself (FUSE) can let a path take for ever: the child is ended, and waits for nothing then.
  const cancel = (): void => helper.cancel(id);
  signal.addEventListener('abort', cancel, { once: true });
  try {
    await reply;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof AppError)) throw error;
    const message = `"${target}" could not be ${what === 'plug' ? 'put into' : 'taken out of'} container "${name}": ${error.message}`;
    throw new AppError(error.code, { ...error.detail, name, target }, { message, cause: error });
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

async function plugNic(container: Inhabited, device: PluggedNic, stillRuns: () => boolean): Promise<void> {
  const { name, initPid } = container;
  await deleteLink(container, device);
  await using netns = await openNetns(name, initPid);
  // The descriptor is of a process that was alive afterwards, so of no other one that got its pid.
  if (!stillRuns()) throw notRunning(name);
  const { link, bridge, interface: inside, hwaddr, mtu } = device;
  const size = mtu === undefined ? {} : { mtu };
  try {
    // As liblxc does it: in the bridge first, then up. A bridge takes the lowest address of its ports unless it has one of its own, and
    // a first byte of fe is never the lowest.
    await rawNetlink().netlinkAddVeth(
      link,
      { ...size, hwaddr: `fe${hwaddr.slice(2)}`, master: bridge },
      { name: inside, hwaddr, ...size },
      netns.fd,
    );
    await rawNetlink().netlinkSetLink(link, { up: true });
  } catch (cause) {
    if (isErrno(cause, 'EEXIST')) {
      throw new AppError(
        'DEVICE_REFUSED',
        { name, interface: inside },
        { message: `There is already an interface "${inside}" in container "${name}", which Lockstep did not make.`, cause },
      );
    }
    throw new AppError(
      'NETWORK_FAILED',
      { name, link, bridge },
      { message: `The interface "${inside}" of container "${name}" could not be made.`, cause },
    );
  }
}

async function openNetns(name: string, initPid: number): ReturnType<typeof open> {
  try {
    return await open(`/proc/${initPid}/ns/net`, 'r');
  } catch (cause) {
    if (isErrno(cause, 'ENOENT')) throw notRunning(name);
    throw new AppError('LXC_FAILED', { name }, { message: `The network namespace of container "${name}" cannot be opened.`, cause });
  }
}

function notRunning(name: string): AppError {
  return new AppError('LXC_NOT_RUNNING', { name }, { message: `Container "${name}" is not running.` });
}

/** The kernel takes both sides away when one goes, wherever the other is and whatever it is called by now. */
async function deleteLink({ name }: Inhabited, { link }: PluggedNic): Promise<void> {
  await rawNetlink()
    .netlinkDeleteLink(link)
    .catch((cause: unknown) => {
      if (isErrno(cause, 'ENODEV')) return;
      throw new AppError(
        'NETWORK_FAILED',
        { name, link },
        { message: `The link "${link}" of container "${name}" could not be deleted.`, cause },
      );
    });
}
