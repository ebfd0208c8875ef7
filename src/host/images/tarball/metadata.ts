// metadata.yaml of an image: LXD's format. Written by strangers, shown to people and read by instances, so every value is checked.
import { parse } from 'yaml';
import { AppError } from '../../../core/errors.ts';
import { kernelArchitecture } from '../architecture.ts';

export interface ImageMetadata {
  /** As the kernel calls it. */
  readonly architecture: string;
  /** Epoch ms; 0 when it is not told. */
  readonly createdAt: number;
  readonly properties: Readonly<Record<string, string>>;
}

const MAX_PROPERTIES = 200;
const MAX_VALUE_CHARACTERS = 4096;
const KEY = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
const ARCHITECTURE = /^[A-Za-z0-9_]{1,32}$/;

/** IMAGE_INVALID with a reason. */
export function parseMetadata(text: string): ImageMetadata {
  let value: unknown;
  try {
    value = parse(text, { maxAliasCount: 10, stringKeys: true });
  } catch (cause) {
    throw invalid('is not YAML', cause);
  }
  if (!isRecord(value)) throw invalid('is not a YAML mapping');
  const architecture = value['architecture'];
  if (typeof architecture !== 'string' || !ARCHITECTURE.test(architecture)) throw invalid('has no architecture');
  const created = value['creation_date'];
  return {
    architecture: kernelArchitecture(architecture),
    createdAt: typeof created === 'number' && Number.isSafeInteger(created) && created > 0 ? created * 1000 : 0,
    properties: parseProperties(value['properties']),
  };
}

function parseProperties(value: unknown): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (!isRecord(value)) throw invalid('has properties that are not a mapping');
  const entries = Object.entries(value);
  if (entries.length > MAX_PROPERTIES) throw invalid(`has more than ${MAX_PROPERTIES} properties`);
  return Object.fromEntries(entries.map(([key, member]) => [checkKey(key), checkValue(key, member)]));
}

function checkKey(key: string): string {
  if (KEY.test(key)) return key;
  throw invalid(`has the property name ${JSON.stringify(key.slice(0, 100))}, which is not allowed`);
}

function checkValue(key: string, member: unknown): string {
  const text = typeof member === 'string' || typeof member === 'number' || typeof member === 'boolean' ? String(member) : undefined;
  // eslint-disable-next-line no-control-regex
  if (text !== undefined && text.length <= MAX_VALUE_CHARACTERS && !/[\u0000-\u001f\u007f]/.test(text)) return text;
  throw invalid(`has a value for the property "${key}" that is not a short single line`);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function invalid(because: string, cause?: unknown): AppError {
  return new AppError('IMAGE_INVALID', {}, { message: `The image's metadata.yaml ${because}.`, cause });
}
