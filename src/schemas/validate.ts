// Structure of a document against its kind's JSON Schema (ajv). A kind's validator is compiled when its first document comes by.
import { type AnySchemaObject, type ErrorObject, Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import type { KindName } from '../core/ref.ts';
import type { FieldPath } from './document.ts';
import { type Finding, shown } from './finding.ts';
import { schemaOfDocument } from './kinds/table.ts';
import { nearest } from './nearest.ts';
import { optionFor } from './registry.ts';

/** More about one document would not be read by anybody. */
export const MAX_FINDINGS = 100;

// Compiled validators are pure functions of the schemas above; compiling is what takes time, so each is made once per process.
const validators = new Map<KindName, ValidateFunction>();
let ajv: Ajv2020 | undefined;

/** What is wrong with the structure of a document of a kind that can be declared. */
export function structureFindings(kind: KindName, document: Readonly<Record<string, unknown>>): readonly Finding[] {
  const validate = validatorOf(kind);
  if (validate(document)) return [];
  return withoutEchoes(validate.errors ?? [])
    .slice(0, MAX_FINDINGS)
    .map((error) => toFinding(error, document));
}

/** A key that is misspelt is not missing as well; an empty text is not also one of a wrong form. */
function withoutEchoes(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const unknown = errors.filter(({ keyword }) => keyword === 'additionalProperties').slice(0, MAX_FINDINGS);
  const empty = new Set(errors.filter(({ keyword }) => keyword === 'minLength').map(({ instancePath }) => instancePath));
  return errors.filter(({ keyword, instancePath, params }) => {
    if (keyword === 'pattern') return !empty.has(instancePath);
    if (keyword !== 'required') return true;
    const missing = [String(params['missingProperty'])];
    return !unknown.some(
      (other) => other.instancePath === instancePath && nearest(String(other.params['additionalProperty']), missing) !== undefined,
    );
  });
}

function validatorOf(kind: KindName): ValidateFunction {
  let validate = validators.get(kind);
  if (validate === undefined) {
    // Our own schemas are checked by a test: here that would take as long as compiling them, before the first document.
    ajv ??= new Ajv2020({ allErrors: true, verbose: true, strict: false, ownProperties: true, validateSchema: false });
    validate = ajv.compile(schemaOfDocument(kind));
    validators.set(kind, validate);
  }
  return validate;
}

/** Fields people look for in a place where they are not. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'spec.description': 'It belongs to `metadata`.',
  'spec.labels': 'It belongs to `metadata`.',
  'spec.name': 'It belongs to `metadata`.',
  'spec.project': 'It belongs to `metadata`.',
  'spec.autostart': 'It is the config key "boot.autostart".',
  'spec.ephemeral': 'It is not supported yet.',
  'spec.health': 'Health checks are not supported yet.',
  'spec.maxUnavailable': 'It belongs to `spec.update`.',
  'spec.recreate': 'It is `spec.update.recreate`.',
  'spec.update.policy': 'It is `restart`, `recreate` or `image`.',
  'spec.placement': 'Placement is not supported yet.',
};

function toFinding(error: ErrorObject, document: unknown): Finding {
  const path = pointerPath(error.instancePath, document);
  const schema = error.parentSchema as AnySchemaObject;
  const at = path.length === 0 ? 'The document' : `"${String(path.at(-1))}"`;
  switch (error.keyword) {
    case 'additionalProperties': {
      const key = String(error.params['additionalProperty']);
      const known = Object.keys((schema['properties'] ?? {}) as object);
      const near = nearest(key, known);
      const elsewhere =
        ELSEWHERE[[...path, key].join('.')] ??
        (isConfigKey(schema, key) ? 'It is a config key: put it below "config", further indented.' : undefined);
      const hint = elsewhere ?? (near === undefined ? `Known here: ${known.join(', ')}.` : `Did you mean "${near}"?`);
      return { path: [...path, key], inKey: true, rule: 'unknown-key', message: `The key ${shown(key)} is not known here.`, hint };
    }
    case 'required': {
      const key = String(error.params['missingProperty']);
      const property = ((schema['properties'] ?? {}) as Record<string, AnySchemaObject>)[key];
      const description = typeof property?.['description'] === 'string' ? { hint: `${key}: ${property['description']}` } : {};
      return { path, inKey: true, rule: 'required', message: `${at} lacks the key "${key}".`, ...description };
    }
    case 'type': {
      const wanted = String(error.params['type']);
      const message = `${at} must be ${typeText(wanted)}, not ${describeValue(error.data)}.`;
      // `image debian` instead of `image: debian`.
      const colon = wanted === 'object' && typeof error.data === 'string' ? { hint: 'Perhaps a ":" is missing after a key.' } : {};
      return { path, rule: 'type', message, ...colon };
    }
    case 'enum':
    case 'const': {
      const allowed = (error.keyword === 'const' ? [error.params['allowedValue']] : (error.params['allowedValues'] as unknown[])).map(
        String,
      );
      const near = typeof error.data === 'string' ? nearest(error.data, allowed) : undefined;
      const message = `${at} is ${describeValue(error.data)}, which is not one of ${allowed.map((word) => `"${word}"`).join(', ')}.`;
      return { path, rule: 'value', message, ...(near === undefined ? {} : { hint: `Did you mean "${near}"?` }) };
    }
    case 'pattern': {
      const says = typeof schema['description'] === 'string' ? schema['description'] : '';
      const examples = (schema['examples'] as unknown[] | undefined)?.map(String) ?? [];
      const hint = examples.length > 0 ? `${says} For example: ${examples.join(', ')}.` : says;
      return {
        path,
        rule: 'value',
        message: `${at} is ${describeValue(error.data)}, which is not allowed here.`,
        ...(hint === '' ? {} : { hint }),
      };
    }
    default:
      return { path, rule: 'limit', message: `${at} ${limitText(error)}.` };
  }
}

function isConfigKey(schema: AnySchemaObject, key: string): boolean {
  const properties = (schema['properties'] ?? {}) as Record<string, unknown>;
  return properties['config'] !== undefined && properties['devices'] !== undefined && optionFor('instance', key) !== undefined;
}

/** What stands for each keyword that limits a value. A test looks at all schemas for one that is not here. */
const LIMITS: Readonly<Record<string, (limit: number) => string>> = {
  minLength: (limit) => (limit === 1 ? 'must not be empty' : `must have at least ${limit} characters`),
  maxLength: (limit) => `must have at most ${limit} characters`,
  maxItems: (limit) => `must have at most ${limit} items`,
  maxProperties: (limit) => `must have at most ${limit} keys`,
  minimum: (limit) => `must be at least ${limit}`,
  maximum: (limit) => `must be at most ${limit}`,
};

/** Keywords of JSON Schema with a sentence of their own. */
export const EXPLAINED_KEYWORDS: ReadonlySet<string> = new Set([
  'additionalProperties',
  'required',
  'type',
  'enum',
  'const',
  'pattern',
  ...Object.keys(LIMITS),
]);

function limitText({ keyword, params }: ErrorObject): string {
  return LIMITS[keyword]?.(Number(params['limit'])) ?? 'is not allowed here';
}

/** JSON pointer to path; list indexes become numbers. */
function pointerPath(pointer: string, document: unknown): FieldPath {
  let at: unknown = document;
  return pointer
    .split('/')
    .slice(1)
    .map((part) => {
      const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
      const step = Array.isArray(at) ? Number(key) : key;
      at = (at as Record<string | number, unknown> | undefined)?.[step];
      return step;
    });
}

function typeText(type: string): string {
  const words: Readonly<Record<string, string>> = {
    object: 'a map (key: value)',
    array: 'a list (- item)',
    string: 'text',
    boolean: 'true or false',
    integer: 'a whole number',
    number: 'a number',
    'integer,string': 'a whole number or text',
  };
  return words[type] ?? type;
}

function describeValue(value: unknown): string {
  if (typeof value === 'string') return `the text ${shown(value)}`;
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'a map';
  return String(value);
}
