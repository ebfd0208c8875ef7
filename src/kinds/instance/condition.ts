// Whether an instance is what it should be once nothing is left to change, and what else people should know of it. Pure.
import type { Reason } from '../../core/reasons.ts';
import { AppError } from '../../core/errors.ts';
import { limitGaps } from '../../host/cgroup/knobs.ts';
import type { Facts, Readiness, Recorded } from '../kind.ts';
import { type InstanceActual, isUp } from './actual.ts';
import { type Files, filesOf, isForeign } from './diff.ts';
import { imageFacts, poolHasQuotas } from './neighbours.ts';
import { decideStart } from './power.ts';
import type { InstanceSpec } from './spec.ts';
import { baseOf, makeTarget, poolRef } from './target.ts';

export function condition(spec: InstanceSpec, actual: InstanceActual, recorded: Recorded, facts: Facts): Readiness {
  return { ...readiness(spec, actual, recorded, facts), running: actual.power === 'Running' };
}

function readiness(spec: InstanceSpec, actual: InstanceActual, recorded: Recorded, facts: Facts): Readiness {
  if (isForeign(actual, recorded.uid)) {
    const message = 'A container of this name that is not ours lies in the instances directory; it is left alone.';
    return { ready: false, reason: 'ForeignContainer', message };
  }
  const replace = replaceMessage(spec, actual);
  if (replace !== undefined) return { ready: false, reason: 'RecreateNeedsConfirm', message: replace };
  const files = filesNow(spec, actual, recorded, facts);
  if (files instanceof AppError) return { ready: false, reason: 'DeviceMissing', message: files.message };
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

/** Image and pool are pinned once the instance is made: another one would replace its root volume, and that is never done unasked. */
function replaceMessage(spec: InstanceSpec, { record }: InstanceActual): string | undefined {
  if (record?.stage !== 'made') return undefined;
  const changes = [
    record.image.name === spec.image.name ? undefined : `image "${spec.image.name}" instead of "${record.image.name}"`,
    record.pool === spec.root.pool ? undefined : `pool "${spec.root.pool}" instead of "${record.pool}"`,
  ].filter((text) => text !== undefined);
  if (changes.length === 0) return undefined;
  return (
    `Its manifest now asks for ${changes.join(' and ')}, which needs a new root volume. It runs on as it is. ` +
    'To replace it, delete the instance and declare it again; to keep it, take the change back.'
  );
}

/** Its files as they should be now, for what they say about devices. */
function filesNow(spec: InstanceSpec, actual: InstanceActual, recorded: Recorded, facts: Facts): Files {
  const base = baseOf(spec, actual, recorded, facts);
  if (base.image === undefined) return undefined;
  const decisions = { generation: 1, heldBoot: undefined, seed: undefined };
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
    const message = `It was made from image "${spec.image.name}" as it was before (${made.slice(0, 12)}); delete it and declare it again to use the new one.`;
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
