// Whether an instance is what it should be once nothing is left to change, and what else people should know of it. Pure.
import type { Reason } from '../../core/reasons.ts';
import { AppError } from '../../core/errors.ts';
import { limitGaps } from '../../host/cgroup/knobs.ts';
import type { Facts, Readiness, Recorded } from '../kind.ts';
import { type InstanceActual, isUp } from './actual.ts';
import { compareExpanded, needingRestart } from './compare.ts';
import { type Files, filesOf, isForeign } from './diff.ts';
import { imageFacts, poolHasQuotas } from './neighbours.ts';
import { decideStart } from './power.ts';
import { fingerprinted } from './record.ts';
import type { InstanceSpec } from './spec.ts';
import { canPlug } from './replug.ts';
import { baseOf, makeTarget, poolRef } from './target.ts';
import { fieldsText, mayRecreate, mayRestart, replacementOf } from './update-rules.ts';

export function condition(spec: InstanceSpec, actual: InstanceActual, recorded: Recorded, facts: Facts): Readiness {
  return { ...readiness(spec, actual, recorded, facts), running: actual.power === 'Running' };
}

function readiness(spec: InstanceSpec, actual: InstanceActual, recorded: Recorded, facts: Facts): Readiness {
  if (isForeign(actual, recorded.uid)) {
    const message = 'A container of this name that is not ours lies in the instances directory; it is left alone.';
    return { ready: false, reason: 'ForeignContainer', message };
  }
  if (!isUp(actual) && actual.volume.is === 'inactive') {
    const message = `The pool "${actual.volume.pool}", which holds its root volume, is not in use. Nothing is known of its data until it is.`;
    return { ready: false, reason: 'PoolInactive', message };
  }
  const files = filesNow(spec, actual, recorded, facts);
  if (files instanceof AppError) return { ready: false, reason: 'DeviceMissing', message: files.message };
  const waits = waiting(spec, actual, recorded, facts);
  if (waits !== undefined) return waits;
  const power = powerReadiness(spec, actual, recorded, facts);
  const notes = notesOn(spec, actual, files?.leftOut ?? {}, facts);
  if (!power.ready || notes.length === 0) return power;
  return { ready: true, reason: notes[0]!.reason, message: [power.message, ...notes.map((note) => note.message)].join(' ').trim() };
}

function powerReadiness(spec: InstanceSpec, actual: InstanceActual, recorded: Recorded, facts: Facts): Readiness {
  const wanted = spec.state;
  if (actual.power === wanted) return { ready: true, reason: wanted, message: '' };
  if (isUp(actual)) return { ready: false, reason: actual.power, message: `It is ${actual.power.toLowerCase()}.` };
  const decision = decideStart({ spec, actual, recorded, facts, wanted: false });
  if (!decision.start) return { ready: false, reason: decision.reason, message: decision.message };
  return { ready: false, reason: 'Stopped', message: 'It is stopped.' };
}

/** It runs on as it is, because a new root volume or a restart is never given to it unasked (`spec.update`). */
function waiting(spec: InstanceSpec, actual: InstanceActual, recorded: Recorded, facts: Facts): Readiness | undefined {
  const usable = { ready: false, usable: true } as const;
  const replacement = replacementOf(spec, actual, facts);
  if (replacement !== undefined) {
    const asksFor = `Its manifest asks for a new root volume (${fieldsText(replacement.fields)}).`;
    const permission = mayRecreate(spec, replacement, actual, recorded);
    if (permission.may === 'never') {
      const message = `${asksFor} It is never recreated (update.recreate) and stays as it is.`;
      return { ...usable, reason: 'RecreateNever', message };
    }
    if (permission.may === 'later') {
      const { waitsFor, rule } = permission.hold;
      return { ...usable, reason: rule, message: `${asksFor} It stays as it is and waits for ${waitsFor}.` };
    }
  }
  if (actual.started === undefined || !isUp(actual)) return undefined;
  const wanted = { config: fingerprinted(recorded.uid, spec.config), devices: spec.devices };
  const restart = needingRestart(compareExpanded(actual.started.document.spec, wanted), canPlug(actual));
  const permission = mayRestart(spec, restart, actual.started.document.spec, wanted, recorded);
  if (permission.may !== 'later') return undefined;
  const message = `It runs without ${fieldsText(restart)}, which takes a restart, and waits for ${permission.hold.waitsFor}.`;
  return { ...usable, reason: 'RestartNeeded', message };
}

/** Its files as they should be now, for what they say about devices. */
function filesNow(spec: InstanceSpec, actual: InstanceActual, recorded: Recorded, facts: Facts): Files {
  const base = baseOf(spec, actual, recorded, facts);
  if (base.image === undefined) return undefined;
  // As its record has them: what it says about devices does not depend on them, and so these are the files that were compared already.
  const decisions = { generation: actual.record?.generation ?? 1, heldBoot: actual.record?.heldBoot, seed: actual.record?.seed };
  return filesOf(makeTarget(recorded.ref, spec, { ...base, image: base.image }, recorded, facts, decisions), actual);
}

interface Note {
  readonly reason: Reason;
  readonly message: string;
}

function notesOn(spec: InstanceSpec, actual: InstanceActual, leftOut: Readonly<Record<string, string>>, facts: Facts): Note[] {
  const notes: Note[] = [];
  const declared = imageFacts(spec.image, facts);
  const made = actual.record?.image.fingerprint;
  if (declared !== undefined && made !== undefined && declared.fingerprint !== made) {
    const message = `It was made from image "${spec.image.name}" as it was before (${made.slice(0, 12)}); it gets the new one when it is recreated (update.image: Follow).`;
    notes.push({ reason: 'ImageOutdated', message });
  }
  const gaps = limitGaps(spec.limits, facts.host);
  if (gaps.length > 0) {
    notes.push({ reason: 'LimitsNotEnforced', message: `This host lacks the cgroup controllers for ${gaps.join(', ')}.` });
  }
  if (spec.root.sizeBytes !== undefined && !poolHasQuotas(poolRef(spec.root.pool), facts)) {
    notes.push({ reason: 'SizeNotEnforced', message: `Pool "${spec.root.pool}" does not limit sizes.` });
  }
  for (const message of Object.values(leftOut)) notes.push({ reason: 'DeviceLeftOut', message });
  for (const device of isUp(actual) ? (actual.started?.leftOut ?? []) : []) {
    if (leftOut[device] !== undefined || !Object.hasOwn(spec.devices, device)) continue;
    notes.push({ reason: 'DeviceAtNextStart', message: `Device "${device}" can be given now; it will be there at the next start.` });
  }
  return notes;
}
