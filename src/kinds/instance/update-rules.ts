// What an instance's `update` rules say about a change that interrupts it: whether it goes ahead, waits for a person, or never happens.
// Pure. Whether a change interrupts at all is the option registry's word (compare.ts), or that of the image and pool it was made from.
import { hashOf } from '../../core/hash.ts';
import type { Consent, Facts, FieldChange, PlannedStep, Recorded } from '../kind.ts';
import type { InstanceActual } from './actual.ts';
import type { Expandable } from './compare.ts';
import { imageFacts } from './neighbours.ts';
import type { RecordedImage } from './record.ts';
import type { InstanceSpec } from './spec.ts';

/** What it would be made anew from. */
export interface Replacement {
  readonly fields: readonly FieldChange[];
  /** Undefined while that image is not there. */
  readonly image: RecordedImage | undefined;
  readonly pool: string;
}

export type Permission = { readonly may: 'now' } | { readonly may: 'never' } | { readonly may: 'later'; readonly hold: Hold };

type Hold = NonNullable<PlannedStep<unknown>['hold']>;

/**
 * Image and pool are pinned once an instance is made; this is how they differ from what is declared. What is made anew is made from the
 * image as it is now.
 */
export function replacementOf(spec: InstanceSpec, { record }: InstanceActual, facts: Facts): Replacement | undefined {
  if (record?.stage !== 'made') return undefined;
  const image = imageFacts(spec.image, facts);
  const renamed = record.image.name !== spec.image.name;
  // Another name for the very same image changes nothing.
  const other = image === undefined ? renamed : image.fingerprint !== record.image.fingerprint;
  const otherPool = record.pool !== spec.root.pool;
  if (!otherPool && !(other && (renamed || spec.update.followImage))) return undefined;
  const fields: FieldChange[] = [];
  if (other) {
    const [from, to] = renamed ? [record.image.name, spec.image.name] : [versionText(record.image), image && versionText(image)];
    fields.push({ field: 'image', from, ...(to === undefined ? {} : { to }) });
  }
  if (otherPool) fields.push({ field: `devices.${spec.root.device}.pool`, from: record.pool, to: spec.root.pool });
  return { fields, image, pool: spec.root.pool };
}

function versionText({ name, fingerprint }: RecordedImage): string {
  return `${name} (${fingerprint.slice(0, 12)})`;
}

export function mayRecreate(spec: InstanceSpec, replacement: Replacement, actual: InstanceActual, recorded: Recorded): Permission {
  if (spec.update.recreate === 'Never') return { may: 'never' };
  if (replacement.image === undefined) return { may: 'later', hold: { rule: 'RecreateWaits', waitsFor: `Image "${spec.image.name}"` } };
  const { volume } = actual;
  if (volume.is === 'inactive') {
    return { may: 'later', hold: { rule: 'RecreateWaits', waitsFor: `StoragePool "${volume.pool}", which holds its present root volume` } };
  }
  if (spec.update.recreate === 'Auto') return { may: 'now' };
  const from = { image: actual.record?.image.fingerprint, pool: actual.record?.pool };
  const hash = hashOf(['recreate', recorded.uid, from, { image: replacement.image.fingerprint, pool: replacement.pool }]);
  const reason = `A new root volume is made (${fieldsText(replacement.fields)}); what is on the present one is kept as a tombstone for a while.`;
  return asked({ action: 'recreate', hash, reason }, recorded);
}

export function mayRestart(
  spec: InstanceSpec,
  fields: readonly FieldChange[],
  from: Expandable,
  to: Expandable,
  recorded: Recorded,
): Permission {
  if (spec.update.restart === 'Auto' || fields.length === 0) return { may: 'now' };
  // Fields do not show secrets; their fingerprints are in the two configurations.
  const values = fields.map(({ field }) => {
    const key = field.replace(/^config\./, '');
    return [field, from.config[key], to.config[key]];
  });
  const hash = hashOf(['restart', recorded.uid, fields, values]);
  return asked({ action: 'restart', hash, reason: `It is restarted for ${fieldsText(fields)}.` }, recorded);
}

function asked(consent: Consent, recorded: Recorded): Permission {
  if (recorded.agreed === consent.hash) return { may: 'now' };
  const rule = consent.action === 'recreate' ? 'RecreateNeedsConfirm' : 'RestartNeeded';
  return { may: 'later', hold: { rule, waitsFor: `a confirmation (lockstep confirm ${recorded.ref.name})`, consent } };
}

export function fieldsText(fields: readonly FieldChange[]): string {
  return fields
    .map(({ field, from, to }) => (from === undefined && to === undefined ? field : `${field}: ${from ?? 'not set'} -> ${to ?? 'not set'}`))
    .join(', ');
}

/** The first of the steps is what waits; those behind it follow. */
export function heldSteps<Change>(steps: readonly PlannedStep<Change>[], hold: Hold): PlannedStep<Change>[] {
  return steps.map((step, index) => (index === 0 ? { ...step, hold } : step));
}
