// Which devices of a running instance are taken out and put in, and in which order. Pure.
//
// What the container has is in started.json (`plugged`), what it should have follows from its target. Nothing inside takes part, so a
// frozen instance is no exception.
import { AppError } from '../../core/errors.ts';
import { hashOf } from '../../core/hash.ts';
import type { DeviceSpec } from '../../host/devices/device-spec.ts';
import type { Plugged } from '../../host/ports/lxc.ts';
import type { FieldChange, PlannedStep } from '../kind.ts';
import type { InstanceActual } from './actual.ts';
import type { InstanceChange, PlugAction, PlugReason } from './changes.ts';
import type { Difference } from './compare.ts';
import type { Files } from './diff.ts';
import type { InstanceRecord } from './record.ts';
import type { Target } from './render.ts';

/** Devices can be changed while it runs: what it has of them is known. */
export function canPlug(actual: InstanceActual): boolean {
  return actual.started?.plugged !== undefined && (actual.power === 'Running' || actual.power === 'Frozen');
}

/** Whether this difference is carried out by plugging. */
export function isPlugged({ verdict }: Difference): boolean {
  return verdict === 'replug';
}

export function replugSteps(
  target: Target,
  files: Files,
  actual: InstanceActual,
  differences: readonly Difference[],
): PlannedStep<InstanceChange>[] {
  const { started } = actual;
  // It keeps what it has while something it should have is missing.
  if (started === undefined || !canPlug(actual) || files instanceof AppError) return [];
  const wanted = new Map(target.spec.deviceList.map((device) => [device.name, device]));
  const fields = fieldsByDevice(differences);
  const repaired = new Set([...Object.keys(started.loose ?? {}), ...actual.lostNics]);
  const appeared = files === undefined ? [] : started.leftOut.filter((name) => wanted.has(name) && files.leftOut[name] === undefined);
  const changed = new Set([...fields.keys(), ...repaired, ...appeared]);
  withThoseBelow(changed, started, wanted);
  const reason = (name: string): PlugReason =>
    fields.has(name) ? 'declared' : repaired.has(name) ? 'repair' : appeared.includes(name) ? 'appeared' : 'below';

  const early: PlannedStep<InstanceChange>[] = [];
  const steps: PlannedStep<InstanceChange>[] = [];
  for (const name of inOrder(changed, target)) {
    const device = wanted.get(name);
    const out = outOf(started, name);
    const change = (action: PlugAction, remaining: readonly Plugged[]): PlannedStep<InstanceChange> => ({
      change: {
        do: 'replug',
        device: name,
        action,
        target,
        out: remaining,
        fields: fields.get(name) ?? missing(name),
        because: reason(name),
      },
    });
    if (device === undefined) early.push(change('unplug', out));
    else if (out.length === 0) steps.push(change('plug', []));
    // Two devices that change places: the one that has the other's place makes room first.
    else if (isWantedByAnother(name, out, changed, wanted)) {
      early.push(change('unplug', out));
      steps.push(change('plug', []));
    } else steps.push(change('replug', out));
  }
  return [...early, ...steps];
}

/** Nothing declared differs: the container lacks the device. */
function missing(name: string): readonly FieldChange[] {
  return [{ field: `devices.${name}`, to: 'plugged in' }];
}

function fieldsByDevice(differences: readonly Difference[]): ReadonlyMap<string, readonly FieldChange[]> {
  const found = new Map<string, FieldChange[]>();
  for (const difference of differences) {
    if (!isPlugged(difference) || difference.device === undefined) continue;
    found.set(difference.device, [...(found.get(difference.device) ?? []), difference.field]);
  }
  return found;
}

/** All that may be in the container of a device. */
function outOf(started: InstanceRecord, name: string): readonly Plugged[] {
  const plugged = started.plugged?.[name];
  return started.loose?.[name] ?? (plugged === undefined ? [] : [plugged]);
}

/** Devices are given in the order of their names, as at a start: a mount below another one must come after it. */
function inOrder(changed: ReadonlySet<string>, target: Target): string[] {
  const declared = target.spec.deviceList.map((device) => device.name).filter((name) => changed.has(name));
  return [...[...changed].filter((name) => !declared.includes(name)), ...declared];
}

/** A mount that goes takes those below it along, and one that comes hides them: they are plugged again, too. */
function withThoseBelow(changed: Set<string>, started: InstanceRecord, wanted: ReadonlyMap<string, DeviceSpec>): void {
  for (let before = -1; before !== changed.size;) {
    before = changed.size;
    const places = [...changed].flatMap((name) => [...outOf(started, name).map(placeOf), placeInSpec(wanted.get(name))]);
    for (const [name, plugged] of Object.entries(started.plugged ?? {})) {
      const own = placeOf(plugged);
      if (places.some((place) => place !== undefined && own.startsWith(`${place}/`))) changed.add(name);
    }
  }
}

/** Where it is in the container: no two devices can be in one place. Interfaces hold no slash, so they never look like a path. */
function placeOf(plugged: Plugged): string {
  return plugged.is === 'nic' ? plugged.interface : plugged.target;
}

function placeInSpec(device: DeviceSpec | undefined): string | undefined {
  if (device === undefined) return undefined;
  return device.type === 'nic' ? device.interface : device.path;
}

function isWantedByAnother(
  name: string,
  out: readonly Plugged[],
  changed: ReadonlySet<string>,
  wanted: ReadonlyMap<string, DeviceSpec>,
): boolean {
  const others = [...changed].filter((other) => other !== name).map((other) => placeInSpec(wanted.get(other)));
  return out.some((plugged) => others.includes(placeOf(plugged)));
}

/** started.json once the plugging of a device is begun: whatever may be there of it is loose. */
export function begun(started: InstanceRecord, device: string, loose: readonly Plugged[]): Omit<InstanceRecord, 'hash'> {
  // Each once, however often it is tried.
  const all = new Map([...outOf(started, device), ...loose].map((one) => [hashOf(one), one]));
  return { ...without(started, device), loose: { ...started.loose, [device]: [...all.values()] } };
}

/** started.json once the container has the device as `record` says it, or has it no more. */
export function ended(started: InstanceRecord, record: InstanceRecord, device: string, plugged: boolean): Omit<InstanceRecord, 'hash'> {
  const { loose: allLoose, ...rest } = without(started, device);
  const loose = Object.fromEntries(Object.entries(allLoose ?? {}).filter(([name]) => name !== device));
  const left = Object.keys(loose).length === 0 ? {} : { loose };
  const options = record.document.spec.devices[device];
  const now = record.plugged?.[device];
  const leftOut = record.leftOut.includes(device) ? { leftOut: [...rest.leftOut, device] } : {};
  if (!plugged || options === undefined) return { ...rest, ...left };
  return {
    ...rest,
    ...left,
    ...leftOut,
    nics: [...rest.nics, ...record.nics.filter((nic) => nic.device === device)],
    plugged: { ...rest.plugged, ...(now === undefined ? {} : { [device]: now }) },
    document: withDevice(rest, { [device]: options }),
  };
}

function without(started: InstanceRecord, device: string): InstanceRecord {
  const plugged = Object.fromEntries(Object.entries(started.plugged ?? {}).filter(([name]) => name !== device));
  const devices = Object.fromEntries(Object.entries(started.document.spec.devices).filter(([name]) => name !== device));
  return {
    ...started,
    nics: started.nics.filter((nic) => nic.device !== device),
    leftOut: started.leftOut.filter((name) => name !== device),
    plugged,
    document: { ...started.document, spec: { ...started.document.spec, devices } },
  };
}

function withDevice({ document }: InstanceRecord, device: InstanceRecord['document']['spec']['devices']): InstanceRecord['document'] {
  return { ...document, spec: { ...document.spec, devices: { ...document.spec.devices, ...device } } };
}
