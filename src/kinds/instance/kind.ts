// The Instance kind: an LXC system container from an image, in a pool, on networks, with devices and limits.
import { applyWith } from '../changes.ts';
import type { Kind, Need, Observed, Recorded } from '../kind.ts';
import { type InstanceActual, isUp } from './actual.ts';
import { allocate } from './allocate.ts';
import { appliers } from './apply.ts';
import type { InstanceChange } from './changes.ts';
import { condition } from './condition.ts';
import { describe } from './describe.ts';
import { diff } from './diff.ts';
import { observe } from './observe.ts';
import { resolve } from './resolve.ts';
import { type InstanceSpec, isSecretKey } from './spec.ts';
import { poolRef } from './target.ts';

function needs(spec: InstanceSpec): readonly Need[] {
  const found: Need[] = [
    { ref: spec.image, condition: 'Present', only: 'making', field: 'image' },
    { ref: poolRef(spec.root.pool), condition: 'Present', field: `devices.${spec.root.device}.pool` },
  ];
  for (const device of spec.deviceList) {
    if (device.type === 'nic') found.push({ ref: device.network, condition: 'Present', field: `devices.${device.name}.network` });
  }
  for (const [at, dependency] of spec.dependsOn.entries()) found.push({ ...dependency, field: `dependsOn[${at}]` });
  return found;
}

/** Live changes, stops that were asked for, and deletes go on without them. */
function waitsForNeeds(change: InstanceChange): boolean {
  switch (change.do) {
    case 'create':
    case 'start':
    case 'setDhcpHosts':
    case 'buryRoot':
    case 'rename':
      return true;
    case 'replug':
      return change.action !== 'unplug';
    case 'shutdown':
    case 'kill':
      return change.because !== 'state';
    case 'unfreeze':
      return change.because !== undefined && change.because !== 'state';
    default:
      return false;
  }
}

/** From the stop on that leads to a new root: what it is made from has to be there before it is taken down. */
function makes(change: InstanceChange): boolean {
  return change.do === 'create' || change.do === 'buryRoot' || ('because' in change && change.because === 'recreate');
}

function holds(change: InstanceChange, now: Observed<InstanceActual>): boolean {
  if (now.is === 'unknown') return false;
  const actual = now.is === 'present' ? now.actual : undefined;
  const up = actual !== undefined && isUp(actual);
  switch (change.do) {
    case 'create':
    case 'undo':
    case 'buryRoot':
    case 'rename':
      return !up;
    case 'start':
      return actual !== undefined && !up;
    case 'configure':
      return actual !== undefined && !(up && change.seed.length > 0);
    case 'setLimits':
    case 'shutdown':
    case 'kill':
      return up;
    case 'replug':
      return actual?.power === 'Running' || actual?.power === 'Frozen';
    case 'freeze':
      return actual?.power === 'Running';
    case 'unfreeze':
      return actual?.power === 'Frozen';
    default:
      return actual !== undefined;
  }
}

/** Unpacking an image and removing a large root volume take their time. */
const LONG_MS = 15 * 60_000;
const START_MS = 60_000;

/** It takes milliseconds, or a second when the v1 freezer has to be asked twice; liblxc waits without end. */
const FREEZE_MS = 20_000;

function deadlineMs(change: InstanceChange): number {
  if (change.do === 'freeze' || change.do === 'unfreeze') return FREEZE_MS;
  if (change.do === 'create' || change.do === 'delete' || change.do === 'undo') return LONG_MS;
  return START_MS;
}

function details(actual: InstanceActual, recorded: Recorded): Readonly<Record<string, string | number | readonly string[]>> {
  const { record } = actual;
  const ids = recorded.allocations.get('idrange');
  return {
    state: actual.power,
    ...(actual.initPid === undefined ? {} : { pid: actual.initPid }),
    ...(actual.addresses.length === 0 ? {} : { addresses: actual.addresses }),
    ...(record === undefined ? {} : { image: record.image.name, fingerprint: record.image.fingerprint.slice(0, 12), pool: record.pool }),
    ...(ids === undefined || record?.allocations['idrange'] === undefined ? {} : { firstHostId: Number(ids) }),
    ...(actual.volume.is === 'there' && actual.volume.reading.sizeBytes !== undefined
      ? { rootSizeBytes: actual.volume.reading.sizeBytes }
      : {}),
    ...(actual.exit === undefined || isUp(actual) ? {} : { exit: exitText(actual.exit) }),
  };
}

function exitText({ code, signal }: NonNullable<InstanceActual['exit']>): string {
  if (code !== undefined) return `exit code ${code}`;
  return signal === undefined ? 'unknown' : `signal ${signal}`;
}

function redact(spec: InstanceSpec, fingerprint: (secret: string) => string): unknown {
  const hide = (values: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(values).map(([key, value]) => [key, fingerprint(value)]));
  const config = Object.fromEntries(
    Object.entries(spec.config).map(([key, value]) => [key, isSecretKey(key) ? fingerprint(value) : value]),
  );
  const { cloudInit, ...rest } = spec;
  const seed =
    cloudInit === undefined
      ? {}
      : { cloudInit: hide(Object.fromEntries(Object.entries(cloudInit).filter((entry) => entry[1] !== undefined))) };
  return { ...rest, config, environment: hide(spec.environment), ...seed };
}

export const instanceKind: Kind<InstanceSpec, InstanceActual, InstanceChange> = {
  name: 'Instance',
  resolve,
  needs,
  allocate,
  observe,
  diff,
  holds,
  apply: (host, ref, change, run) => applyWith(appliers, host, ref, change, run),
  describe,
  deadlineMs,
  waitsForNeeds,
  makes,
  // When it is started again is up to its restart policy (power.ts).
  unasked: (change) => (change.do === 'start' ? 'policy' : undefined),
  maxUnavailable: (spec) => spec.update.maxUnavailable,
  condition,
  details,
  redact,
};
