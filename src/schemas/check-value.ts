// Plain data to a document: what it says it is (apiVersion, kind), its kind's schema, then the rules that a schema cannot say.
import { isKindName, KIND_NAMES, type KindName, makeRef, refKey, type ResourceRef } from '../core/ref.ts';
import type { ManifestDocument, Metadata } from './document.ts';
import { type Finding, shown } from './finding.ts';
import { kindFindings } from './kind-rules.ts';
import { APPLIED_KINDS, kindSchema } from './kinds/table.ts';
import type { ConfigMap, DeviceMap } from './merge.ts';
import { nearest } from './nearest.ts';
import { configFindings, deviceFindings } from './option-findings.ts';
import { structureFindings } from './validate.ts';

const API_VERSION = 'lockstep/v1';

/** A document without its place in a text. */
export type Unlocated = Omit<ManifestDocument, 'origin' | 'locate'>;

/** Structure, names, keys: everything about one document that needs no other. */
export function checkValue(value: unknown): { findings: readonly Finding[]; document: Unlocated | undefined } {
  const envelope = envelopeFinding(value);
  if ('rule' in envelope) return { findings: [envelope], document: undefined };
  const { kind, data } = envelope;
  const structure = structureFindings(kind, data);
  if (structure.length > 0) return { findings: [...structure, ...optionFindings(kind, data, structure)], document: undefined };
  // The schema has said what these are.
  const metadata = data['metadata'] as Metadata;
  const spec = data['spec'];
  const findings = kindFindings(kind, metadata, spec);
  const ref = refOf(kind, metadata.name, metadata.project, spec);
  return { findings, document: { apiVersion: API_VERSION, kind, ref, key: refKey(ref), metadata, spec } };
}

/** Config keys and devices are judged even though the document as a whole is not right: all mistakes are told at once. */
function optionFindings(kind: KindName, { spec }: Readonly<Record<string, unknown>>, structure: readonly Finding[]): readonly Finding[] {
  if (!isMap(spec) || (kind !== 'Instance' && kind !== 'Profile')) return [];
  const sound = (part: 'config' | 'devices'): boolean => !structure.some(({ path }) => path[0] === 'spec' && path[1] === part);
  return [
    ...(isMap(spec['config']) && sound('config') ? configFindings('instance', spec['config'] as ConfigMap, ['spec', 'config']) : []),
    ...(isMap(spec['devices']) && sound('devices') ? deviceFindings(spec['devices'] as DeviceMap, ['spec', 'devices']) : []),
  ];
}

/** What a kind with a parent calls it in its spec. */
const PARENT_FIELD: Readonly<Partial<Record<KindName, string>>> = { StorageVolume: 'pool', NetworkForward: 'network' };

function refOf(kind: KindName, name: string, project: unknown, spec: unknown): ResourceRef {
  const field = PARENT_FIELD[kind];
  const parent = field === undefined || !isMap(spec) ? undefined : spec[field];
  return makeRef(kind, name, { ...(typeof project === 'string' ? { project } : {}), ...(typeof parent === 'string' ? { parent } : {}) });
}

/** Who an invalid document would be, when kind and name can be read. */
export function claimedRef(value: unknown): ResourceRef | undefined {
  if (!isMap(value) || typeof value['kind'] !== 'string' || !isKindName(value['kind']) || !isMap(value['metadata'])) return undefined;
  const { name, project } = value['metadata'];
  if (typeof name !== 'string') return undefined;
  return refOf(value['kind'], name, project, value['spec']);
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** apiVersion and kind, or what is wrong with them: without these the rest cannot be judged. */
function envelopeFinding(value: unknown): Finding | { readonly kind: KindName; readonly data: Readonly<Record<string, unknown>> } {
  if (!isMap(value)) {
    const message = 'A document must be a map with apiVersion, kind, metadata and spec.';
    return { path: [], rule: 'type', message };
  }
  const { apiVersion, kind } = value;
  if (apiVersion === undefined) {
    return { path: [], rule: 'required', message: 'The document lacks the key "apiVersion".', hint: `Write "apiVersion: ${API_VERSION}".` };
  }
  if (apiVersion !== API_VERSION) {
    const text = typeof apiVersion === 'string' ? shown(apiVersion) : 'not text';
    return { path: ['apiVersion'], rule: 'value', message: `The apiVersion is ${text}.`, hint: `Write "apiVersion: ${API_VERSION}".` };
  }
  if (kind === undefined) {
    return { path: [], rule: 'required', message: 'The document lacks the key "kind".', hint: `One of: ${APPLIED_KINDS.join(', ')}.` };
  }
  if (typeof kind !== 'string' || !isKindName(kind)) {
    const near = typeof kind === 'string' ? nearest(kind, KIND_NAMES) : undefined;
    const hint = near === undefined ? `One of: ${APPLIED_KINDS.join(', ')}.` : `Did you mean "${near}"?`;
    return {
      path: ['kind'],
      rule: 'value',
      message: `The kind ${typeof kind === 'string' ? shown(kind) : 'is not text'} is not known.`,
      hint,
    };
  }
  return { kind, data: kindSchema(kind).emptySpec === true && value['spec'] === undefined ? { ...value, spec: {} } : value };
}
