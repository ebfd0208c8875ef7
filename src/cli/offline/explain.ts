// lockstep explain KIND[.field] : what a field or a config key means, from the same tables that validation uses.
import { AppError } from '../../core/errors.ts';
import type { KindName } from '../../core/ref.ts';
import { ALL_KINDS, kindSchema } from '../../schemas/kinds/table.ts';
import { nearest } from '../../schemas/nearest.ts';
import {
  isOptionScope,
  OPTION_SCOPES,
  type OptionEntry,
  optionFor,
  type OptionScope,
  optionsOf,
  PLANNED_SCOPES,
} from '../../schemas/registry.ts';
import { findKind } from '../kind-words.ts';

interface SchemaNode {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
}

export interface Explanation {
  readonly subject: string;
  readonly description: string;
  /** Name and value, in order: type, unit, default, ... */
  readonly facts: Readonly<Record<string, string>>;
  /** What there is below it: name and one sentence. */
  readonly members: Readonly<Record<string, string>>;
}

/**
 * `Instance`, `instance.restart.policy`, `instance.config.limits.memory`, `instance.devices.nic.hwaddr`, `network.config.ipv4.nat`; a config
 * key alone means an instance's, `nic.hwaddr` a device's. Throws VALUE_INVALID with the nearest name.
 */
export function explain(query: string): Explanation {
  const [first = '', ...rest] = query.split('.');
  const kind = findKind(first);
  if (kind !== undefined) return ofKind(kind, rest[0] === 'spec' ? rest.slice(1) : rest);
  const device = `device/${first}`;
  if (isOptionScope(device)) return rest.length === 0 ? ofScope(device, `device of type ${first}`) : ofKey([device], rest.join('.'));
  if (first === 'devices' && rest.length === 0) return ofDevices('devices');
  if (optionFor('instance', query) === undefined && !isGroup(query) && nearest(query, everyWord()) === undefined) {
    const hint =
      'Name a kind (instance), a field (instance.state), a config key (limits.memory), a device type (nic), or an option (nic.hwaddr).';
    throw new AppError('VALUE_INVALID', {}, { message: `There is no key, kind or device type "${query}".`, hint });
  }
  return ofKey(['instance'], query);
}

/** `limits`: what several keys begin with. */
function isGroup(query: string): boolean {
  return optionsOf('instance').some(({ key }) => key.startsWith(`${query}.`));
}

function everyWord(): string[] {
  return [...ALL_KINDS, ...deviceTypes(), ...optionsOf('instance').map(({ key }) => key)];
}

function ofDevices(subject: string): Explanation {
  const members = deviceTypes().map((type) => {
    const scope: OptionScope = `device/${type}` as OptionScope;
    return [type, `${PLANNED_SCOPES.has(scope) ? '(not yet) ' : ''}${optionsOf(scope).length} keys: see "lockstep explain ${type}".`];
  });
  const description = 'What an instance is given besides its root file system, by name. Every device has a type.';
  return { subject, description, facts: {}, members: Object.fromEntries(members) as Record<string, string> };
}

function ofKind(kind: KindName, path: readonly string[]): Explanation {
  const { spec, description, planned } = kindSchema(kind);
  const [field, ...rest] = path;
  if (field === undefined) {
    const note = planned === true ? ' Not supported yet.' : '';
    return { subject: kind, description: description + note, facts: {}, members: membersOf(spec) };
  }
  const scopes = configScopes(kind);
  if (field === 'config' && rest.length > 0) return ofKey(scopes, rest.join('.'));
  if (field === 'config' && scopes.length === 1) return ofScope(scopes[0]!, `${kind}.config`);
  if (field === 'devices' && rest.length === 0 && scopes.includes('instance')) return ofDevices(`${kind}.devices`);
  if (field === 'devices' && rest.length > 0) {
    const device = `device/${rest[0]}`;
    if (!isOptionScope(device)) throw unknown(rest[0]!, deviceTypes(), 'device type');
    return rest.length === 1 ? ofScope(device, `device of type ${rest[0]}`) : ofKey([device], rest.slice(1).join('.'));
  }
  return ofField(kind, spec, path);
}

function ofField(kind: KindName, spec: SchemaNode, path: readonly string[]): Explanation {
  let node = spec;
  let needed = false;
  for (const name of path) {
    const properties = node.properties ?? node.items?.properties ?? {};
    const next = Object.hasOwn(properties, name) ? properties[name] : undefined;
    if (next === undefined) throw unknown(name, Object.keys(properties), `field of ${kind}`);
    needed = (node.required ?? node.items?.required ?? []).includes(name);
    node = next;
  }
  const facts = {
    type: node.enum === undefined ? typeText(node.type) : `one of ${node.enum.map(String).join(', ')}`,
    ...(needed ? { required: 'yes' } : {}),
    ...(node.default === undefined ? {} : { default: JSON.stringify(node.default) }),
    ...(node.examples === undefined ? {} : { example: node.examples.map(String).join(', ') }),
  };
  return { subject: `${kind}.${path.join('.')}`, description: node.description ?? '', facts, members: membersOf(node) };
}

function typeText(type: SchemaNode['type']): string {
  if (type === undefined) return 'text';
  return typeof type === 'string' ? type : type.join(' or ');
}

function membersOf(node: SchemaNode): Record<string, string> {
  const properties = Object.entries(node.properties ?? node.items?.properties ?? {});
  return Object.fromEntries(properties.map(([name, { description = '' }]) => [name, description]));
}

/** Scopes whose keys the config of a kind may have. */
function configScopes(kind: KindName): OptionScope[] {
  const prefix: Readonly<Partial<Record<KindName, string>>> = {
    Instance: 'instance',
    Profile: 'instance',
    InstanceSet: 'instance',
    Network: 'network/',
    StoragePool: 'pool/',
    StorageVolume: 'volume',
    NetworkForward: 'network-forward',
    Project: 'project',
  };
  const wanted = prefix[kind];
  return wanted === undefined ? [] : OPTION_SCOPES.filter((scope) => (wanted.endsWith('/') ? scope.startsWith(wanted) : scope === wanted));
}

function deviceTypes(): string[] {
  return OPTION_SCOPES.filter((scope) => scope.startsWith('device/')).map((scope) => scope.slice('device/'.length));
}

function ofScope(scope: OptionScope, subject: string): Explanation {
  const options = optionsOf(scope).filter((option) => option.status !== 'internal');
  const members = options.map((option) => [
    option.key,
    option.status === 'planned' ? `(not yet) ${option.description}` : option.description,
  ]);
  const description = PLANNED_SCOPES.has(scope) ? 'Not supported yet.' : `${options.length} keys.`;
  return { subject, description, facts: {}, members: Object.fromEntries(members) as Record<string, string> };
}

function ofKey(scopes: readonly OptionScope[], key: string): Explanation {
  const found = scopes
    .map((scope) => optionFor(scope, key) ?? optionsOf(scope).find((one) => one.key === key))
    .filter((option) => option !== undefined);
  // The type or driver that works, when several know the key.
  const option = found.find((one) => one.status === 'applied') ?? found[0];
  if (option !== undefined) return ofOption(option, key);
  // A prefix names a group: `limits`, `ipv4.dhcp`.
  const group = scopes.flatMap((scope) => optionsOf(scope)).filter((one) => one.key.startsWith(`${key}.`) && one.status !== 'internal');
  if (group.length > 0) {
    return {
      subject: `${key}.*`,
      description: `${group.length} keys.`,
      facts: {},
      members: Object.fromEntries(group.map((one) => [one.key, one.description])),
    };
  }
  const keys = [...scopes.flatMap((scope) => optionsOf(scope).map((one) => one.key)), ...ALL_KINDS];
  throw unknown(key, keys, 'key or kind');
}

function ofOption(option: OptionEntry, key: string): Explanation {
  const { type, unit, default: fallback, example, since, verdict, status, origin, scope, secret } = option;
  const lands: Readonly<Record<typeof verdict, string>> = {
    live: 'live: on the running object',
    replug: 'replug: the device is taken out and put back',
    restart: 'restart: the instance is restarted',
    recreate: 'recreate: the root volume is made anew, after a confirmation',
    immutable: 'immutable: refused; delete the object and declare it again',
  };
  const facts = {
    in: scope,
    value: type.syntax.replaceAll('`', ''),
    ...(type.values === undefined ? {} : { values: type.values.join(', ') }),
    ...(unit === undefined ? {} : { unit: `${unit}, for a number without one` }),
    ...(fallback === undefined ? {} : { default: fallback }),
    ...(status === 'applied' ? { 'a change is': lands[verdict] } : {}),
    status:
      status === 'planned'
        ? 'not supported yet'
        : status === 'internal'
          ? 'written by the daemon, never declared'
          : `works since ${since ?? '0.1'}`,
    from: origin,
    ...(secret === true ? { secret: 'yes: never shown in plans, events or logs' } : {}),
    ...(example === undefined ? {} : { example }),
  };
  return { subject: key, description: option.description.replaceAll('`', ''), facts, members: {} };
}

function unknown(word: string, words: readonly string[], what: string): AppError {
  const near = nearest(word, words);
  const hint =
    near === undefined ? `Known: ${words.slice(0, 30).join(', ')}${words.length > 30 ? ', ...' : ''}.` : `Did you mean "${near}"?`;
  return new AppError('VALUE_INVALID', { word }, { message: `There is no ${what} "${word}".`, hint });
}

export function explanationText({ subject, description, facts, members }: Explanation): string {
  const lines = [subject, `  ${description}`];
  if (Object.keys(facts).length > 0) lines.push('', ...rows(facts));
  if (Object.keys(members).length > 0) lines.push('', ...rows(members));
  return `${lines.join('\n')}\n`;
}

function rows(pairs: Readonly<Record<string, string>>): string[] {
  const width = Math.max(...Object.keys(pairs).map((name) => name.length));
  return Object.entries(pairs).map(([name, value]) => `  ${name.padEnd(width)}  ${value.replaceAll('\n', ' ')}`);
}
