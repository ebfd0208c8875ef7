// Carries out changes of an instance. Every effect is a step of its own and safe to repeat; nothing is decided here but what a host path
// leads to, which is read right before it is written down.
import { AppError } from '../../core/errors.ts';
import { lxcName } from '../../core/names.ts';
import { type ResourceRef, refText } from '../../core/ref.ts';
import type { Host } from '../../host/ports/host.ts';
import type { VolumeId } from '../../host/ports/storage.ts';
import type { Appliers, Outcome } from '../changes.ts';
import type { InstanceChangeTable } from './changes.ts';
import { applyReplug } from './apply-replug.ts';
import { readHostPaths, render } from './render.ts';

function rootVolume(ref: ResourceRef): VolumeId {
  return { type: 'container', name: lxcName(ref) };
}

const create: Appliers<InstanceChangeTable>['create'] = async (host, ref, { target, pool, image, seed, revive }, run) => {
  if (target === undefined) {
    throw new AppError('IMAGE_MISSING', { image }, { message: `The image "${image}" of ${refText(ref)} is not there yet.` });
  }
  const name = lxcName(ref);
  const hostPaths = await readHostPaths(host, target);
  const making = render(target, hostPaths, 'making');
  let { image: from } = target;
  // First of all who it is: whatever a crash leaves behind from here on can be told to be ours, and finished.
  await run.step('define', () => host.lxc.define(name, making));
  if (revive === undefined) {
    const { fingerprint } = target.image;
    const volume = { name, fingerprint, ownerId: target.idBase ?? 0, sizeBytes: target.spec.root.sizeBytes };
    run.progress(`making the root file system from ${image}`);
    await run.step('volume', () => host.storage.createContainerVolume(pool, volume, run.signal));
  } else {
    const fingerprint = await run.step('volume', () => host.storage.unburyVolume(pool, revive, rootVolume(ref), run.signal));
    // It was made from what its image was then.
    if (fingerprint !== undefined) from = { ...from, fingerprint };
  }
  await run.step('device nodes', () => host.lxc.setDeviceNodes(name, making.nodes));
  for (const lease of making.dhcpHosts) {
    await run.step(`lease ${lease.key}`, () => host.network.setDhcpHost(lease.bridge, lease.key, lease.host));
  }
  if (seed.length > 0) await run.step('cloud-init seed', () => host.lxc.writeInRootfs(target.rootfs, seed));
  await run.step('record', () => host.lxc.define(name, render({ ...target, image: from }, hostPaths, 'made')));
  return 'done';
};

const buryRoot: Appliers<InstanceChangeTable>['buryRoot'] = async (host, ref, { tombstone }, run) => {
  await needStopped(host, lxcName(ref));
  await run.step('bury the root', () => host.storage.buryVolume(tombstone.pool, rootVolume(ref), tombstone.name, run.signal));
  return 'done';
};

/** Whatever the plan was made from: the root of what runs is never taken away. */
async function needStopped(host: Host, name: string): Promise<void> {
  const power = (await host.lxc.list([name])).get(name)?.power ?? 'Stopped';
  if (power === 'Stopped') return;
  const message = `Container "${name}" is up (${power}), so its root volume is left alone.`;
  throw new AppError('LXC_FAILED', { name, power }, { message });
}

const rename: Appliers<InstanceChangeTable>['rename'] = async (host, ref, { from, pool }, run) => {
  const name = lxcName(ref);
  // The directory last: its record says whose the volume is.
  if (pool !== undefined) {
    await run.step('rename the root', () => host.storage.renameVolume(pool, { type: 'container', name: from }, name, run.signal));
  }
  await run.step('rename the directory', () => host.lxc.rename(from, name));
  return 'done';
};

const undo: Appliers<InstanceChangeTable>['undo'] = async (host, ref, { pool, volume }, run) => {
  await needStopped(host, lxcName(ref));
  if (volume) await run.step('volume', () => host.storage.deleteVolume(pool, rootVolume(ref), run.signal));
  await run.step('undefine', () => host.lxc.undefine(lxcName(ref)));
  return 'done';
};

const configure: Appliers<InstanceChangeTable>['configure'] = async (host, ref, { target, seed }, run) => {
  const name = lxcName(ref);
  const rendered = render(target, await readHostPaths(host, target));
  await run.step('device nodes', () => host.lxc.setDeviceNodes(name, rendered.nodes));
  if (seed.length > 0) await run.step('cloud-init seed', () => host.lxc.writeInRootfs(target.rootfs, seed));
  // Last, because the record is what the next look compares with.
  await run.step('define', () => host.lxc.define(name, rendered));
  return 'done';
};

const setLimits: Appliers<InstanceChangeTable>['setLimits'] = async (host, ref, { writes }, run) => {
  for (const { file, to } of writes) await run.step(file, () => host.lxc.setCgroup(lxcName(ref), file, to));
  return 'done';
};

const setSize: Appliers<InstanceChangeTable>['setSize'] = async (host, ref, { pool, to }, run) => {
  await run.step('size', () => host.storage.setVolumeSize(pool, rootVolume(ref), to, run.signal));
  return 'done';
};

const setDhcpHosts: Appliers<InstanceChangeTable>['setDhcpHosts'] = async (host, _ref, { set, remove }, run) => {
  for (const { bridge, key } of remove) await run.step(`remove lease ${key}`, () => host.network.removeDhcpHost(bridge, key));
  for (const lease of set) await run.step(`lease ${lease.key}`, () => host.network.setDhcpHost(lease.bridge, lease.key, lease.host));
  return 'done';
};

const start: Appliers<InstanceChangeTable>['start'] = async (host, ref, _change, run) => {
  await run.step('start', () => host.lxc.start(lxcName(ref), run.signal));
  return 'done';
};

const shutdown: Appliers<InstanceChangeTable>['shutdown'] = async (host, ref, { timeoutMs, as }, run): Promise<Outcome> => {
  await run.step('shutdown', () => host.lxc.shutdown(as ?? lxcName(ref)));
  return { waiting: 'its shutdown', deadlineMs: timeoutMs };
};

const kill: Appliers<InstanceChangeTable>['kill'] = async (host, ref, { as }, run) => {
  await run.step('kill', () => host.lxc.kill(as ?? lxcName(ref), run.signal));
  return 'done';
};

const freeze: Appliers<InstanceChangeTable>['freeze'] = async (host, ref, _change, run) => {
  await run.step('freeze', () => host.lxc.freeze(lxcName(ref), run.signal));
  return 'done';
};

const unfreeze: Appliers<InstanceChangeTable>['unfreeze'] = async (host, ref, { as }, run) => {
  await run.step('unfreeze', () => host.lxc.unfreeze(as ?? lxcName(ref), run.signal));
  return 'done';
};

const remove: Appliers<InstanceChangeTable>['delete'] = async (host, ref, { tombstone, dhcp }, run) => {
  const name = lxcName(ref);
  await run.step('kill', () => host.lxc.kill(name, run.signal));
  if (tombstone !== undefined) {
    await run.step('bury', () => host.storage.buryVolume(tombstone.pool, rootVolume(ref), tombstone.name, run.signal));
  }
  for (const { bridge, key } of dhcp) await run.step(`remove lease ${key}`, () => host.network.removeDhcpHost(bridge, key));
  // Last: as long as its directory is there, what is left can be told to be ours.
  await run.step('undefine', () => host.lxc.undefine(name));
  return 'done';
};

export const appliers: Appliers<InstanceChangeTable> = {
  create,
  undo,
  configure,
  setLimits,
  replug: applyReplug,
  setSize,
  setDhcpHosts,
  start,
  shutdown,
  kill,
  freeze,
  unfreeze,
  buryRoot,
  rename,
  delete: remove,
};
