import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  isOptionScope,
  OPTION_SCOPES,
  type OptionEntry,
  optionFor,
  optionsOf,
  optionValue,
  parseOption,
  PLANNED_SCOPES,
  verdictFor,
} from '../../../src/schemas/registry.ts';

function everyOption(): OptionEntry[] {
  return OPTION_SCOPES.flatMap((scope) => optionsOf(scope));
}

function dataLines(name: string): string[] {
  const text = readFileSync(new URL(`../../data/${name}`, import.meta.url), 'utf8');
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

/** `a.{b,c}` stands for `a.b` and `a.c`. */
function expand(word: string): string[] {
  const match = /^(.*)\{(.*)\}(.*)$/.exec(word);
  return match ? match[2]!.split(',').map((part) => match[1]! + part + match[3]!) : [word];
}

test('has exactly the options LXD and Incus have for containers', () => {
  const listed = new Set<string>();
  for (const line of dataLines('lxd-options.txt')) {
    const [scope, words] = line.split(': ', 2);
    for (const word of words!.split(' ').flatMap(expand)) listed.add(`${scope} ${word}`);
  }
  const known = new Set(everyOption().map(({ scope, key }) => `${scope} ${key}`));
  assert.deepEqual(
    [...listed].filter((key) => !known.has(key)),
    [],
    'missing in the registry',
  );
  assert.deepEqual(
    [...known].filter((key) => !listed.has(key)),
    [],
    'not in the list',
  );
});

test('the list of options that are still to come only gets shorter', () => {
  const allowed = new Set(dataLines('planned-options.txt'));
  const planned = everyOption()
    .filter((option) => option.status === 'planned')
    .map(({ scope, key }) => `${scope} ${key}`);
  assert.deepEqual(
    planned.filter((key) => !allowed.has(key)),
    [],
  );
});

test("every default and example is right by the option's own notation", () => {
  for (const { scope, key, type, default: fallback, example } of everyOption()) {
    for (const text of [fallback, example]) {
      if (text !== undefined) assert.ok(type.parse(text).ok, `${scope} ${key}: ${text}`);
    }
  }
});

test('every option that works has an example, a release and a sentence', () => {
  for (const { scope, key, status, example, since, description } of everyOption()) {
    assert.match(description, /[.`]$/, `${scope} ${key}`);
    if (status === 'applied') assert.ok(example !== undefined && since !== undefined, `${scope} ${key}`);
    else assert.equal(since, undefined, `${scope} ${key}`);
  }
});

test('nothing works in a scope that is planned as a whole', () => {
  for (const scope of PLANNED_SCOPES) for (const { key, status } of optionsOf(scope)) assert.equal(status, 'planned', `${scope} ${key}`);
});

test('finds a key of a family, and not what only resembles one', () => {
  assert.equal(optionFor('instance', 'environment.PATH')?.key, 'environment.*');
  assert.equal(optionFor('instance', 'linux.sysctl.net.ipv4.ip_forward')?.key, 'linux.sysctl.*');
  assert.equal(optionFor('network/bridge', 'tunnel.t1.remote')?.key, 'tunnel.*.remote');
  assert.equal(optionFor('instance', 'user.user-data')?.status, 'planned');
  for (const key of [
    'environment.',
    'environment',
    'environment.A=B',
    'environment.A B',
    'environment.A\nB',
    'xenvironment.A',
    'limits_cpu',
    'linux.sysctl.x',
  ]) {
    assert.equal(optionFor('instance', key), undefined, JSON.stringify(key));
  }
});

test('names of object members are no options', () => {
  for (const key of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
    assert.equal(optionFor('instance', key), undefined);
    assert.equal(isOptionScope(key), false);
  }
});

test('gives typed values: what is set, else the default', () => {
  assert.deepEqual(optionValue('instance', 'limits.cpu', { 'limits.cpu': '0-1' }), { set: [0, 1] });
  assert.equal(optionValue('instance', 'limits.cpu', {}), undefined);
  assert.equal(optionValue('instance', 'security.nesting', {}), false);
  assert.equal(optionValue('instance', 'security.nesting', { 'security.nesting': '' }), false);
  assert.equal(optionValue('network/bridge', 'ipv4.dhcp.expiry', {}), 3600);
  assert.throws(() => optionValue('instance', 'limits.cpu', { 'limits.cpu': 'many' }), { code: 'VALUE_INVALID' });
});

test('reads any value by its key, and knows when there is no such key', () => {
  assert.deepEqual(parseOption('device/disk', 'size', '1GiB'), { ok: true, value: 1024 ** 3 });
  assert.equal(parseOption('device/disk', 'size', '1gib')?.ok, false);
  assert.equal(parseOption('device/disk', 'sise', '1GiB'), undefined);
});

test('says how a change of an option lands', () => {
  assert.equal(verdictFor('instance', 'limits.memory'), 'live');
  assert.equal(verdictFor('instance', 'environment.A'), 'restart');
  assert.equal(verdictFor('device/disk', 'size'), 'live');
  assert.equal(verdictFor('pool/btrfs', 'source'), 'immutable');
  assert.throws(() => verdictFor('instance', 'limits.nothing'), { code: 'INTERNAL' });
});

test('values that could hold secrets are marked', () => {
  for (const key of ['cloud-init.user-data', 'environment.PASSWORD', 'systemd.credential.x'])
    assert.equal(optionFor('instance', key)?.secret, true, key);
});

test('a value for one line of configuration holds no control characters', () => {
  for (const option of everyOption()) {
    if (option.type.multiline === true || option.key === 'security.syscalls.allow' || option.key === 'security.syscalls.deny') continue;
    const good = option.example ?? option.default;
    for (const bad of ['a\nlxc.hook.start = /bin/sh', 'a\0b', 'a\rb', ...(good === undefined ? [] : [`${good}\n`, `${good}\nx`])]) {
      assert.equal(option.type.parse(bad).ok, false, `${option.scope} ${option.key} takes ${JSON.stringify(bad)}`);
    }
  }
});
