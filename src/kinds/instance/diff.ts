// The changes that lead from an instance as it is to what it should be. Pure.
//
//   not declared        -> delete
//   absent, half-made   -> (undo) create -> start
//   there               -> limits, size, leases, configuration as they should be; then power:
//                          stopped  -> start, where restart policy and back-off say so
//                          running  -> devices taken out and put in; shutdown (kill when it takes too long) and start, where a change needs it
import { AppError } from '../../core/errors.ts';
import { lxcName } from '../../core/names.ts';
import { refKey } from '../../core/ref.ts';
import { type KnobWrite, knobWrites, limitKnobs, sameKnobValue, unlimitedValue } from '../../host/cgroup/knobs.ts';
import type { DhcpHostEntry } from '../../host/devices/device-spec.ts';
import type { DhcpHost } from '../../host/ports/network.ts';
import type { Buries } from '../changes.ts';
import type { DiffInput, Facts, FieldChange, PlannedStep, Recorded } from '../kind.ts';
import { type InstanceActual, isUp } from './actual.ts';
import type { DhcpKey, InstanceChange, StopReason } from './changes.ts';
import { cloudInitSeed, type Seed } from './cloud-init.ts';
import { compareExpanded, needingRestart } from './compare.ts';
import { createdFields } from './created-fields.ts';
import { poolHasQuotas } from './neighbours.ts';
import { decideStart, isHeld, type PowerInput } from './power.ts';
import { fingerprinted } from './record.ts';
import { canPlug, isPlugged, replugSteps } from './replug.ts';
import { type Rendered, type Target, targetHostPaths, targetLeases } from './render.ts';
import { renderedBefore } from './rendered-before.ts';
import type { InstanceSpec } from './spec.ts';
import { baseOf, makeTarget, poolRef } from './target.ts';
import { heldSteps, mayRecreate, mayRestart, type Replacement, replacementOf } from './update-rules.ts';

/** Of one that is renamed and deleted at once. */
const DELETED_SHUTDOWN_MS = 30_000;

type Input = DiffInput<InstanceSpec, InstanceActual>;
type Step = PlannedStep<InstanceChange>;
type Grave = Buries['tombstone'];

export function diff(input: Input): readonly Step[] {
  const { desired, actual } = input;
  if (actual !== undefined && isForeign(actual, input.recorded.uid)) return [];
  if (actual?.former !== undefined) return renaming(actual.former, actual, input);
  if (desired === undefined) return actual === undefined ? [] : [deletion(actual, input)];
  if (actual === undefined) return creation(desired, undefined, 'absent', input);
  if (!isUp(actual)) {
    const because = unfinished(actual);
    if (because !== undefined) return creation(desired, actual, because, input);
  }
  return converge(desired, actual, input);
}

/** It is taken down under its former name; what comes after the rename is what would be done with one that is down. */
function renaming(former: string, actual: InstanceActual, input: Input): Step[] {
  const { desired, recorded, ref } = input;
  const up = isUp(actual);
  const fields = [{ field: 'metadata.name', from: recorded.renamedFrom?.name ?? former, to: ref.name }];
  const patience = desired?.shutdownTimeoutMs ?? DELETED_SHUTDOWN_MS;
  const stop = up ? stopSteps('rename', fields, patience, actual, input) : [];
  if (up && stop.length === 0) return [];
  const pool = actual.volume.is === 'there' ? actual.volume.pool : undefined;
  const down: InstanceActual = {
    ...actual,
    former: undefined,
    runsAs: lxcName(ref),
    power: 'Stopped',
    initPid: undefined,
    monitorPid: undefined,
    knobs: new Map(),
  };
  return [...stop, { change: { do: 'rename', from: former, pool } }, ...diff({ ...input, actual: down })];
}

/** Its directory says another owner: never touched, whatever is declared. */
export function isForeign(actual: InstanceActual, uid: string): boolean {
  return actual.owner !== undefined && actual.owner !== uid;
}

function deletion(actual: InstanceActual, { recorded, facts }: Input): Step {
  const dhcp = (actual.dhcpHosts ?? []).map(({ bridge, key }) => ({ bridge, key }));
  return { change: { do: 'delete', tombstone: burial(actual.volume, recorded, facts), dhcp } };
}

/** A deletion that is tried again goes into the tombstone it was begun with. */
function burial(volume: InstanceActual['volume'], recorded: Recorded, facts: Facts): Grave | undefined {
  if (volume.is !== 'there' && volume.is !== 'inactive') return undefined;
  const { tombstone } = recorded;
  return tombstone?.pool === volume.pool ? tombstone : grave(volume.pool, recorded, facts);
}

/** A burial that is tried again, be it of the root alone or with its instance by now, has the name that it was begun with. */
function grave(pool: string, { uid, replacing }: Recorded, { now }: Facts): Grave {
  return replacing?.pool === pool ? replacing : { pool, name: `${uid}.${now}` };
}

function unfinished(actual: InstanceActual): 'half-made' | 'root lost' | undefined {
  if (actual.record?.stage !== 'made' || actual.config === undefined) return 'half-made';
  const { volume } = actual;
  if (volume.is === 'missing' || volume.is === 'none') return 'root lost';
  return volume.is === 'there' && !volume.reading.complete ? 'half-made' : undefined;
}

function creation(
  spec: InstanceSpec,
  actual: InstanceActual | undefined,
  because: 'absent' | 'half-made' | 'root lost' | 'recreate',
  { ref, recorded, facts }: Input,
  buried = actual?.volume.is === 'there' ? undefined : recorded.replacing,
): Step[] {
  const lost = because === 'root lost' || because === 'recreate';
  // A lost root is made anew from what is declared now: the image it was made from may be gone.
  const base = baseOf(spec, lost ? undefined : actual, recorded, facts);
  const seed = cloudInitSeed(spec, recorded.uid, ref.name);
  const decisions = { generation: (actual?.record?.generation ?? 1) + (lost ? 1 : 0), heldBoot: undefined, seed: seed?.hash };
  const target = base.image === undefined ? undefined : makeTarget(ref, spec, { ...base, image: base.image }, recorded, facts, decisions);
  const steps: Step[] = [];
  const begun = actual?.record?.stage === 'making' ? actual.record : undefined;
  if (begun !== undefined && base.image !== undefined && (begun.pool !== base.pool || begun.image.fingerprint !== base.image.fingerprint)) {
    const what = begun.pool === base.pool ? 'image' : 'pool';
    steps.push({
      change: { do: 'undo', pool: begun.pool, volume: actual?.volume.is === 'there', because: `it was begun with another ${what}` },
    });
  }
  steps.push({
    change: {
      do: 'create',
      target,
      pool: base.pool,
      image: base.image?.name ?? spec.image.name,
      seed: seed?.files ?? [],
      revive: recorded.tombstone?.name,
      because,
      fields: because === 'recreate' ? [] : createdFields(spec, base.image),
      ...(buried === undefined ? {} : { buried }),
    },
  });
  return spec.state === 'Stopped' ? steps : [...steps, ...startSteps(spec, { because: 'it is declared to run' })];
}

function startSteps(spec: InstanceSpec, { because, notBefore }: { because: string; notBefore?: number }): Step[] {
  const start: Step = { change: { do: 'start', because }, ...(notBefore === undefined ? {} : { notBefore }) };
  return spec.state === 'Frozen' ? [start, { change: { do: 'freeze' } }] : [start];
}

function converge(spec: InstanceSpec, actual: InstanceActual, input: Input): Step[] {
  const desired = { config: fingerprinted(input.recorded.uid, spec.config), devices: spec.devices };
  const differences = actual.started === undefined ? [] : compareExpanded(actual.started.document.spec, desired);
  const restart = needingRestart(differences, canPlug(actual));
  const replacement = replacementOf(spec, actual, input.facts);
  const recreate = replacement === undefined ? undefined : mayRecreate(spec, replacement, actual, input.recorded);
  const decided = decideTarget(spec, actual, input, restart);
  if (decided === undefined) return [];
  const { target, seed, power } = decided;
  const files = filesOf(target, actual);
  const steps = [...liveSteps(target, actual, input), ...configureSteps(target, isUp(actual) ? undefined : seed, files, actual, desired)];
  // Before a start, so that the guest gets its own address; else last: they wait for the network, and nothing else should for that.
  const leases = leaseSteps(files === undefined || files instanceof AppError ? targetLeases(target) : files.dhcpHosts, actual);
  if (replacement !== undefined && recreate?.may === 'now' && !(files instanceof AppError)) {
    // What is down and to be made anew needs no new files before; what a host path leads to is found out before its root is taken away.
    const first = isUp(actual) || files === undefined ? steps : [];
    return [...first, ...recreation(spec, replacement, actual, input)];
  }
  // Last of all: until it may be, everything else goes on.
  const later =
    replacement !== undefined && recreate?.may === 'later' ? heldSteps(recreation(spec, replacement, actual, input), recreate.hold) : [];
  if (!isUp(actual)) {
    const decision = spec.state === 'Stopped' ? undefined : decideStart(power);
    return [...steps, ...leases, ...(decision?.start === true ? startSteps(spec, decision) : []), ...later];
  }
  if (spec.state === 'Stopped') return [...steps, ...stopSteps('state', [], spec.shutdownTimeoutMs, actual, input), ...leases, ...later];
  // A NIC is plugged in when its lease is there to be asked for.
  const live = [...steps, ...thaw(spec, actual), ...leases, ...replugSteps(target, files, actual, differences)];
  // It is not taken down for what cannot be given to it anyway.
  if (restart.length === 0 || files instanceof AppError) return [...live, ...later];
  const stop = stopSteps('restart', restart, spec.shutdownTimeoutMs, actual, input);
  if (stop.length === 0) return [...steps, ...leases];
  const reseed = seed === undefined ? [] : configureSteps({ ...target, seed: seed.hash }, seed, files, actual, desired);
  const restarting = [...stop, ...reseed, ...startSteps(spec, { because: 'it was stopped to be changed' })];
  const permission = mayRestart(spec, restart, actual.started!.document.spec, desired, input.recorded);
  if (permission.may === 'now')
    return [...steps, ...stop, ...reseed, ...leases, ...restarting.slice(stop.length + reseed.length), ...later];
  // One word is enough: a new root comes with a restart.
  const held = later.length > 0 || permission.may === 'never' ? later : heldSteps(restarting, permission.hold);
  return [...live, ...held];
}

/** Takes it down and its root out of use, and makes it anew. Everything that it has been given stays: ids, MACs, addresses, uid. */
function recreation(spec: InstanceSpec, replacement: Replacement, actual: InstanceActual, input: Input): Step[] {
  const { recorded, facts } = input;
  const up = isUp(actual);
  const stop = up ? stopSteps('recreate', replacement.fields, spec.shutdownTimeoutMs, actual, input) : [];
  if (up && stop.length === 0) return [];
  const { volume } = actual;
  const tombstone = volume.is === 'there' ? grave(volume.pool, recorded, facts) : undefined;
  const fields = up ? [] : replacement.fields;
  const bury: Step[] = tombstone === undefined ? [] : [{ change: { do: 'buryRoot', tombstone, fields } }];
  // Whatever it came back from, it has been there.
  const { tombstone: _, ...fresh } = recorded;
  return [...stop, ...bury, ...creation(spec, actual, 'recreate', { ...input, recorded: fresh }, tombstone)];
}

function thaw(spec: InstanceSpec, actual: InstanceActual): Step[] {
  if (spec.state === 'Frozen' && actual.power === 'Running') return [{ change: { do: 'freeze' } }];
  if (spec.state === 'Running' && actual.power === 'Frozen') return [{ change: { do: 'unfreeze' } }];
  return [];
}

function stopSteps(because: StopReason, fields: readonly FieldChange[], timeoutMs: number, actual: InstanceActual, input: Input): Step[] {
  const { recorded, facts, ref } = input;
  const as = actual.runsAs === lxcName(ref) ? {} : { as: actual.runsAs };
  const { waiting } = recorded;
  if (waiting?.change === 'shutdown' && facts.now >= waiting.sinceMs + waiting.deadlineMs) {
    return [{ change: { do: 'kill', because, afterMs: waiting.deadlineMs, ...as } }];
  }
  // It is going down or coming up by itself: look again at its next event.
  if (waiting === undefined && (actual.power === 'Stopping' || actual.power === 'Starting')) return [];
  const shutdown: Step = { change: { do: 'shutdown', because, fields, timeoutMs, ...as } };
  // A frozen process gets no signal.
  return actual.power === 'Frozen' ? [{ change: { do: 'unfreeze', because, ...as } }, shutdown] : [shutdown];
}

interface Decided {
  readonly target: Target;
  readonly power: PowerInput;
  /** To be written as soon as it is down. */
  readonly seed: Seed | undefined;
}

/** Undefined when it runs without anything that says from what it was made. */
function decideTarget(
  spec: InstanceSpec,
  actual: InstanceActual,
  { ref, recorded, facts }: Input,
  restart: readonly FieldChange[],
): Decided | undefined {
  const base = baseOf(spec, actual, recorded, facts);
  if (base.image === undefined) return undefined;
  const { record, started } = actual;
  const up = isUp(actual);
  const shouldBeUp = spec.state !== 'Stopped';
  const wantedAgain = record?.state === 'Stopped' && shouldBeUp && !up;
  // It was stopped to be renamed, and its record does not say the new name yet.
  const renamed = record !== undefined && record.ref !== refKey(ref) && shouldBeUp && !up;
  const before = (record?.generation ?? started?.generation ?? 1) + (wantedAgain || renamed ? 1 : 0);
  const changed = started === undefined || before !== started.generation || restart.length > 0;
  const power: PowerInput = { spec, actual, recorded, facts, wanted: changed };
  const booting = !changed && !up && shouldBeUp && spec.restart !== 'Always' && recorded.firstLookSinceBoot;
  // Remembered as wanted, so that needs that are not met yet at the first look do not make it forgotten at the second.
  const generation = booting && decideStart(power).start ? before + 1 : before;
  const heldBoot = !up && shouldBeUp && isHeld(power) ? facts.bootId : undefined;
  const wantedSeed = cloudInitSeed(spec, recorded.uid, ref.name);
  const seed = wantedSeed !== undefined && wantedSeed.hash !== record?.seed && actual.volume.is === 'there' ? wantedSeed : undefined;
  const decisions = { generation, heldBoot, seed: up ? record?.seed : (seed?.hash ?? record?.seed) };
  const target = makeTarget(ref, spec, { ...base, image: base.image }, recorded, facts, decisions);
  return { target, power: { ...power, wanted: changed || generation !== before }, seed };
}

function liveSteps(target: Target, actual: InstanceActual, input: Input): Step[] {
  const steps: Step[] = [];
  const limits = limitWrites(target, actual);
  if (limits.length > 0) {
    const meant = actual.record?.knobs ?? {};
    const repair = limits.every(({ file, to }) => meant[file] !== undefined && sameKnobValue(file, to, meant[file]));
    steps.push({ change: { do: 'setLimits', writes: limits, repair } });
  }
  const { volume } = actual;
  if (volume.is === 'there' && volume.pool === input.desired?.root.pool && poolHasQuotas(poolRef(volume.pool), input.facts)) {
    const to = target.spec.root.sizeBytes;
    if (volume.reading.sizeBytes !== to) steps.push({ change: { do: 'setSize', pool: volume.pool, from: volume.reading.sizeBytes, to } });
  }
  return steps;
}

/** Of a running instance: what its control files should say, and those that only its records name back to unlimited. */
function limitWrites(target: Target, actual: InstanceActual): KnobWrite[] {
  if (actual.power !== 'Running' && actual.power !== 'Frozen') return [];
  const meant = limitKnobs(target.spec.limits, target.host, target.uid);
  const named = new Set(meant.map(({ file }) => file));
  for (const file of actual.knobs.keys()) {
    const value = named.has(file) ? undefined : unlimitedValue(file, target.host);
    if (value !== undefined) meant.push({ file, value });
  }
  return knobWrites(meant, actual.knobs);
}

function leaseSteps(wanted: readonly DhcpHostEntry[], actual: InstanceActual): Step[] {
  const now = new Map((actual.dhcpHosts ?? []).map((entry) => [`${entry.bridge} ${entry.key}`, entry]));
  const set: DhcpHostEntry[] = [];
  for (const entry of wanted) {
    const there = now.get(`${entry.bridge} ${entry.key}`);
    now.delete(`${entry.bridge} ${entry.key}`);
    if (there === undefined || !isSameHost(there.host, entry.host)) set.push(entry);
  }
  const remove: DhcpKey[] = [...now.values()].map(({ bridge, key }) => ({ bridge, key }));
  return set.length + remove.length === 0 ? [] : [{ change: { do: 'setDhcpHosts', set, remove } }];
}

function isSameHost(a: DhcpHost, b: DhcpHost): boolean {
  return a.hwaddr === b.hwaddr && a.address === b.address && a.hostname === b.hostname;
}

/** The files as they should be; undefined while it is not known what a host path leads to (it is looked at when they are written). */
export type Files = Rendered | undefined | AppError;

export function filesOf(target: Target, actual: InstanceActual): Files {
  if (targetHostPaths(target.spec).some((path) => !actual.hostPaths.has(path))) return undefined;
  try {
    return renderedBefore(target, actual.hostPaths, { config: actual.config, record: actual.recordText });
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
}

function configureSteps(
  target: Target,
  seed: Seed | undefined,
  files: Files,
  actual: InstanceActual,
  desired: Pick<InstanceSpec, 'config' | 'devices'>,
): Step[] {
  // What runs keeps what it has while something it should have is missing; what is to start fails with the reason.
  if (files instanceof AppError && (isUp(actual) || target.state === 'Stopped')) return [];
  const rendered = files instanceof AppError ? undefined : files;
  const sameRecord = rendered !== undefined && rendered.record === actual.recordText;
  if (sameRecord && rendered.config === actual.config && seed === undefined) return [];
  const differences = actual.record === undefined ? [] : compareExpanded(actual.record.document.spec, desired);
  const fields = differences.filter((one) => !(canPlug(actual) && isPlugged(one))).map(({ field }) => field);
  return [{ change: { do: 'configure', target, seed: seed?.files ?? [], fields, repair: sameRecord && seed === undefined } }];
}
