// JSON Schema 2020-12 for editors: the kinds' own schemas, with the keys of the option registry filled in, so that completion and hover
// know them. Made for help while writing; what counts is `validate`, which reads notations that JSON Schema cannot describe.
import type { KindName } from '../core/ref.ts';
import { ALL_KINDS, kindSchema, schemaOfDocument } from './kinds/table.ts';
import type { OptionStatus } from './option.ts';
import { OPTION_SCOPES, type OptionEntry, type OptionScope, optionsOf, PLANNED_SCOPES } from './registry.ts';

type Json = { [key: string]: unknown };

const DIALECT = 'https://json-schema.org/draft/2020-12/schema';

/** Schema of documents of one kind. */
export function editorSchemaOf(kind: KindName): Json {
  return { $schema: DIALECT, title: kind, ...documentOf(kind) };
}

/**
 * One schema for documents of every kind. By `if` and not by `oneOf`: an editor then knows from `kind` alone what is meant, offers all kinds
 * while there is none, and underlines the wrong field instead of the whole document.
 */
export function editorSchema(): Json {
  const $defs = Object.fromEntries(ALL_KINDS.map((kind) => [kind, documentOf(kind)]));
  const envelope = {
    apiVersion: { const: 'lockstep/v1', description: 'Version of the manifest language.' },
    kind: { enum: [...ALL_KINDS], description: 'What is declared.' },
  };
  const allOf = ALL_KINDS.map((kind) => whenConst('kind', kind, { $ref: `#/$defs/${kind}` }));
  return {
    $schema: DIALECT,
    title: 'Lockstep manifest',
    type: 'object',
    properties: envelope,
    required: ['apiVersion', 'kind'],
    allOf,
    $defs,
  };
}

function whenConst(property: string, value: string, schema: Json): Json {
  // oxlint-disable-next-line unicorn/no-thenable -- the keyword of JSON Schema
  return { if: { properties: { [property]: { const: value } }, required: [property] }, then: schema };
}

function documentOf(kind: KindName): Json {
  // A deep copy as plain JSON: the validator's own schema object is not to be touched.
  const document = JSON.parse(JSON.stringify(schemaOfDocument(kind))) as Json;
  if (kindSchema(kind).planned === true) document['description'] = `${kindSchema(kind).description} Not supported yet.`;
  const spec = (document['properties'] as Json)['spec'] as Json;
  const properties = spec['properties'] as Json;
  if (kind === 'Instance' || kind === 'Profile') {
    properties['config'] = { ...(properties['config'] as Json), ...optionMap('instance') };
    properties['devices'] = { ...withoutPatterns(properties['devices'] as Json), additionalProperties: deviceSchema() };
  } else if (kind === 'Network') {
    properties['config'] = { ...(properties['config'] as Json), ...optionMap('network/bridge') };
  } else if (kind === 'InstanceSet') {
    const template = (properties['template'] as Json)['properties'] as Json;
    const instance = documentOf('Instance')['properties'] as Json;
    template['spec'] = instance['spec'];
  } else if (kind === 'StorageVolume' || kind === 'Project') {
    properties['config'] = { ...(properties['config'] as Json), ...optionMap(kind === 'Project' ? 'project' : 'volume', 'planned') };
  } else if (kind === 'NetworkForward') {
    properties['config'] = { ...(properties['config'] as Json), ...optionMap('network-forward', 'planned') };
  } else if (kind === 'NetworkACL') {
    for (const direction of ['ingress', 'egress'])
      properties[direction] = { ...(properties[direction] as Json), items: optionMap('network-acl/rule', 'planned') };
  } else if (kind === 'StoragePool') {
    const drivers = OPTION_SCOPES.filter((scope) => scope.startsWith('pool/') && !PLANNED_SCOPES.has(scope));
    spec['allOf'] = drivers.map((scope) => whenConst('driver', scope.slice('pool/'.length), { properties: { config: optionMap(scope) } }));
  }
  return document;
}

function withoutPatterns(schema: Json): Json {
  const { patternProperties: _patternProperties, ...rest } = schema;
  return rest;
}

function deviceSchema(): Json {
  const scopes = OPTION_SCOPES.filter((scope) => scope.startsWith('device/') && !PLANNED_SCOPES.has(scope));
  const types = scopes.map((scope) => scope.slice('device/'.length));
  const allOf = scopes.map((scope, at) => {
    const { properties } = optionMap(scope);
    const type = { const: types[at], description: 'Type of the device.' };
    return whenConst('type', types[at]!, { properties: { type, ...(properties as Json) }, additionalProperties: false });
  });
  return { type: 'object', properties: { type: { enum: types, description: 'Type of the device.' } }, required: ['type'], allOf };
}

function optionMap(scope: OptionScope, status: OptionStatus = 'applied'): Json {
  const properties: Json = {};
  const patternProperties: Json = {};
  for (const option of optionsOf(scope)) {
    if (option.status !== status) continue;
    if (option.key.includes('*'))
      patternProperties[`^${option.key.replaceAll('.', String.raw`\.`).replace('*', '.+')}$`] = valueSchema(option);
    else properties[option.key] = valueSchema(option);
  }
  const patterns = Object.keys(patternProperties).length === 0 ? {} : { patternProperties };
  return { type: 'object', properties, ...patterns, additionalProperties: false };
}

function valueSchema({ type, description, default: fallback, example, unit }: OptionEntry): Json {
  const about = [description, `Value: ${type.syntax}.`, ...(unit === undefined ? [] : [`Unit of a bare number: ${unit}.`])].join(' ');
  const shape: Json =
    type.name === 'boolean'
      ? { anyOf: [{ type: 'boolean' }, { enum: ['true', 'false'] }, { type: ['string', 'integer', 'null'] }] }
      : type.values === undefined
        ? { type: ['string', 'integer', 'null'] }
        : { enum: [...type.values, null] };
  return {
    ...shape,
    description: about,
    ...(fallback === undefined ? {} : { default: fallback }),
    ...(example === undefined ? {} : { examples: [example] }),
  };
}
