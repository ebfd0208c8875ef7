// Reads one instance out of the round's shared readings. No process, no directory scan of its own; the only reads that are not shared are
// the control files of a running container with limits.
import { AppError, toAppError } from '../../core/errors.ts';
import { lxcName } from '../../core/names.ts';
import type { ResourceRef } from '../../core/ref.ts';
import type { ContainerReading } from '../../host/ports/lxc.ts';
import type { DhcpReading } from '../../host/ports/network.ts';
import type { HostView } from '../../host/ports/view.ts';
import type { Observed, Recorded } from '../kind.ts';
import type { InstanceActual, RootVolume } from './actual.ts';
import { configOwner } from './config-text.ts';
import { leasedAddress, staticLeases } from './leases.ts';
import { type InstanceRecord, parseRecord } from './record.ts';
import type { InstanceSpec } from './spec.ts';

export async function observe(
  view: HostView,
  ref: ResourceRef,
  recorded: Recorded | undefined,
  signal: AbortSignal,
): Promise<Observed<InstanceActual>> {
  try {
    signal.throwIfAborted();
    return await read(view, lxcName(ref), recorded);
  } catch (error) {
    return { is: 'unknown', because: toAppError(error, 'HOST_UNREADABLE', { instance: ref.name }) };
  }
}

async function read(view: HostView, name: string, recorded: Recorded | undefined): Promise<Observed<InstanceActual>> {
  const own = await view.container(name);
  const earlier = await readFormer(view, recorded);
  const container = own ?? earlier?.container;
  const runsAs = own === undefined && earlier?.container !== undefined ? earlier.name : name;
  const { record, started } = container === undefined ? NO_RECORDS : recordsOf(container);
  const applied = recorded?.applied as Partial<InstanceSpec> | undefined;
  const pool = record?.pool ?? applied?.root?.pool;
  const placed = await readVolume(view, name, pool);
  const left = placed.is === 'missing' && earlier !== undefined ? await readVolume(view, earlier.name, pool) : placed;
  const volume = left.is === 'there' ? left : placed;
  const former = runsAs !== name || volume !== placed ? earlier?.name : undefined;
  const named = { former, runsAs };
  if (container === undefined && volume.is !== 'there') {
    // Without its directory and with its pool out of reach nothing can be said about its data.
    return volume.is === 'inactive' ? { is: 'present', actual: { ...NOTHING, ...named, volume } } : { is: 'absent' };
  }
  if (container === undefined) return { is: 'present', actual: { ...NOTHING, ...named, volume } };
  const uid = recorded?.uid ?? record?.uid;
  const dhcp = hasNics(record, started, applied) ? await view.dhcp() : undefined;
  const knobs = await readKnobs(view, runsAs, container, { record, started });
  const actual: InstanceActual = {
    ...named,
    power: knobs === 'gone' ? 'Stopping' : container.power,
    initPid: container.initPid,
    monitorPid: container.monitorPid,
    owner: ownerOf(container),
    config: container.config,
    recordText: container.record,
    record,
    started,
    exit: container.exit,
    volume,
    lostNics: knobs === 'gone' ? [] : await readLostNics(view, container, started),
    hostPaths: record === undefined || record.hostPaths.length === 0 ? new Map() : await view.hostPaths(record.hostPaths),
    knobs: knobs === 'gone' ? new Map() : knobs,
    dhcpHosts: dhcp === undefined || uid === undefined ? undefined : staticLeases(uid, dhcp),
    addresses: dhcp === undefined || uid === undefined ? [] : addressesOf(uid, record, dhcp),
  };
  return { is: 'present', actual };
}

interface Former {
  /** LXC name. */
  readonly name: string;
  readonly container: ContainerReading | undefined;
}

/** What is there under its former name, unless that belongs to somebody else by now. */
async function readFormer(view: HostView, recorded: Recorded | undefined): Promise<Former | undefined> {
  if (recorded?.renamedFrom === undefined) return undefined;
  const name = lxcName(recorded.renamedFrom);
  const container = await view.container(name);
  return container === undefined || ownerOf(container) === recorded.uid ? { name, container } : undefined;
}

/** Uid in its record or configuration; undefined when neither says one. */
function ownerOf(container: ContainerReading): string | undefined {
  return recordsOf(container).record?.uid ?? (container.config === undefined ? undefined : configOwner(container.config));
}

const NO_RECORDS: Records = { record: undefined, started: undefined };

const NOTHING: Omit<InstanceActual, 'volume' | 'former' | 'runsAs'> = {
  power: 'Stopped',
  initPid: undefined,
  monitorPid: undefined,
  owner: undefined,
  config: undefined,
  recordText: undefined,
  record: undefined,
  started: undefined,
  exit: undefined,
  lostNics: [],
  hostPaths: new Map(),
  knobs: new Map(),
  dhcpHosts: undefined,
  addresses: [],
};

async function readVolume(view: HostView, name: string, pool: string | undefined): Promise<RootVolume> {
  if (pool === undefined) return { is: 'none' };
  const listed = (await view.pools()).get(pool);
  if (listed === undefined) return { is: 'missing', pool };
  if (listed.unreadable !== undefined) throw listed.unreadable;
  if (!listed.active) return { is: 'inactive', pool };
  const reading = await view.containerVolume(pool, name);
  return reading === undefined ? { is: 'missing', pool } : { is: 'there', pool, reading };
}

function hasNics(
  record: InstanceRecord | undefined,
  started: InstanceRecord | undefined,
  applied: Partial<InstanceSpec> | undefined,
): boolean {
  const recordedNics = (record?.nics.length ?? 0) + (started?.nics.length ?? 0);
  return recordedNics > 0 || applied?.deviceList?.some((device) => device.type === 'nic') === true;
}

/** The kernel deletes a veth pair when either side goes: without its host side the guest has no interface either. */
async function readLostNics(view: HostView, container: ContainerReading, started: InstanceRecord | undefined): Promise<string[]> {
  if (container.power !== 'Running' && container.power !== 'Frozen') return [];
  const nics = Object.entries(started?.plugged ?? {}).flatMap(([device, plugged]) =>
    plugged.is === 'nic' ? [[device, plugged] as const] : [],
  );
  const there = await Promise.all(nics.map(([, { link }]) => view.hasLink(link)));
  return nics.filter((_, at) => there[at] !== true).map(([device]) => device);
}

/**
 * `gone`: it has ended since it was listed. The kernel removes the whole control group of what has ended, so a running container never lacks
 * every file that its limits were written to at its start. One that lacks some of them cannot be judged: it is ending right now, or somebody
 * took a controller away from it.
 */
async function readKnobs(
  view: HostView,
  name: string,
  container: ContainerReading,
  { record, started }: Records,
): Promise<ReadonlyMap<string, string> | 'gone'> {
  if (container.power !== 'Running' && container.power !== 'Frozen') return new Map();
  const files = new Set([record, started].flatMap((one) => Object.keys(one?.knobs ?? {})));
  if (files.size === 0) return new Map();
  const values = await view.cgroupValues(name, [...files]);
  if (values.size === 0) return 'gone';
  const lost = Object.keys(started?.knobs ?? {}).find((file) => !values.has(file));
  if (lost === undefined) return values;
  throw new AppError(
    'HOST_UNREADABLE',
    { file: lost },
    {
      message: `The control file "${lost}" of the running container is not there, although it was started with it.`,
      hint: 'When it stays so, its cgroup controller was switched off (cgroup.subtree_control): switch it on again, or restart the container.',
    },
  );
}

function addressesOf(uid: string, record: InstanceRecord | undefined, dhcp: ReadonlyMap<string, DhcpReading>): string[] {
  const found = new Set<string>();
  for (const nic of record?.nics ?? []) {
    const reading = dhcp.get(nic.bridge);
    const fixed = reading?.hosts.get(`${uid}.${nic.device}`)?.address;
    const leased = reading === undefined ? undefined : leasedAddress(nic.hwaddr, reading);
    const address = leased ?? fixed;
    if (address !== undefined) found.add(address);
  }
  return [...found];
}

interface Records {
  readonly record: InstanceRecord | undefined;
  readonly started: InstanceRecord | undefined;
}

/** Of readings that are still used: what has not changed is listed as the same object, and its records are not parsed again. */
const parsed = new WeakMap<ContainerReading, Records>();

function recordsOf(container: ContainerReading): Records {
  let records = parsed.get(container);
  if (records === undefined) {
    const record = parseRecord(container.record);
    records = { record, started: container.started === container.record ? record : parseRecord(container.started) };
    parsed.set(container, records);
  }
  return records;
}
