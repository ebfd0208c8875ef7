// Takes a device out of a running instance, puts one in, or both. started.json says first what may be in the container of it from then
// on, and last what is: killed anywhere in between, the next look finds what was begun and does it again, or undoes it.
import { AppError } from '../../core/errors.ts';
import { lxcName } from '../../core/names.ts';
import { refText } from '../../core/ref.ts';
import type { Plugged } from '../../host/ports/lxc.ts';
import type { Appliers } from '../changes.ts';
import type { InstanceChangeTable } from './changes.ts';
import { PRIVILEGED_NODES } from './lxc-config.ts';
import { type InstanceRecord, parseRecord, recordText } from './record.ts';
import { begun, ended } from './replug.ts';
import { readHostPaths, render } from './render.ts';

export const applyReplug: Appliers<InstanceChangeTable>['replug'] = async (host, ref, { device, action, target, out }, run) => {
  const name = lxcName(ref);
  const record = parseRecord(render(target, await readHostPaths(host, target)).record);
  // Read now: the changes before this one, and a reboot of the guest, rewrite it.
  const started = parseRecord((await host.lxc.list([name])).get(name)?.started);
  if (record === undefined || started === undefined) {
    throw new AppError('FILE_FAILED', { instance: ref.name }, { message: `What ${refText(ref)} was started with cannot be read.` });
  }
  const into = action === 'unplug' ? undefined : record.plugged?.[device];
  const meant = begun(started, device, into === undefined ? [] : [into]);
  await run.step('begin', () => host.lxc.markPlugged(name, recordText(meant)));
  for (const one of out) {
    await run.step(`unplug ${device}`, () => host.lxc.unplug(name, one, run.signal));
    const rule = ruleToDeny(one, into, started, device);
    if (rule !== undefined) await run.step(`deny ${rule}`, () => host.lxc.setCgroup(name, 'devices.deny', rule));
  }
  if (into !== undefined) {
    const rule = into.is === 'node' ? into.rule : undefined;
    if (rule !== undefined) await run.step(`allow ${rule}`, () => host.lxc.setCgroup(name, 'devices.allow', rule));
    await run.step(`plug ${device}`, () => host.lxc.plug(name, into, run.signal));
  }
  await run.step('record', () => host.lxc.markPlugged(name, recordText(ended(started, record, device, action !== 'unplug'))));
  return 'done';
};

/** What no other device needs, and no privileged instance is allowed anyway. */
function ruleToDeny(one: Plugged, into: Plugged | undefined, { plugged }: InstanceRecord, device: string): string | undefined {
  if (one.is !== 'node' || one.rule === undefined || PRIVILEGED_NODES.includes(one.rule)) return undefined;
  const others = Object.entries(plugged ?? {}).filter(([name]) => name !== device);
  const needed = [into, ...others.map(([, other]) => other)];
  return needed.some((other) => other?.is === 'node' && other.rule === one.rule) ? undefined : one.rule;
}
