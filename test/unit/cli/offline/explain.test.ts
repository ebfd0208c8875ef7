import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explain, explanationText } from '../../../../src/cli/offline/explain.ts';
import { ALL_KINDS } from '../../../../src/schemas/kinds/table.ts';
import { OPTION_SCOPES, optionsOf } from '../../../../src/schemas/registry.ts';

test('a config key is explained wherever it may be asked for', () => {
  const expected = explain('limits.memory');
  assert.equal(expected.facts['a change is'], 'live: on the running object');
  assert.equal(expected.facts['unit'], 'bytes, for a number without one');
  assert.deepEqual(explain('instance.config.limits.memory'), expected);
  assert.deepEqual(explain('Instance.spec.config.limits.memory'), expected);
  assert.deepEqual(explain('profile.config.limits.memory'), expected);
  assert.equal(explain('environment.FOO').subject, 'environment.FOO');
});

test('fields of the schema, device options, groups and whole kinds are explained', () => {
  assert.deepEqual(explain('instance.restart.policy').facts, { type: 'one of Always, OnFailure, Never', default: '"Always"' });
  assert.deepEqual(explain('instance.image').facts['required'], 'yes');
  assert.deepEqual(Object.keys(explain('instance.dependsOn').members), ['kind', 'name', 'condition']);
  assert.deepEqual(explain('nic.hwaddr'), explain('instance.devices.nic.hwaddr'));
  assert.ok(
    'ipv4.dhcp.ranges' in explain('network.config.ipv4.dhcp').members || explain('network.config.ipv4.dhcp').subject === 'ipv4.dhcp',
  );
  assert.ok('limits.cpu' in explain('limits').members);
  assert.match(explain('InstanceSet').description, /Not supported yet/);
  assert.deepEqual(explain('devices').members, explain('instance.devices').members);
  assert.match(explain('devices').members['nic'] ?? '', /see "lockstep explain nic"/);
});

test('what does not exist is refused with the nearest name', () => {
  for (const [query, near] of [
    ['limits.memoy', 'limits.memory'],
    ['instance.restart.polcy', 'policy'],
    ['instance.devices.nick', 'nic'],
  ] as const) {
    assert.throws(
      () => explain(query),
      (error: Error & { hint?: string }) => error.hint === `Did you mean "${near}"?`,
      query,
    );
  }
  assert.throws(
    () => explain('nosuch'),
    (error: Error & { hint?: string }) =>
      error.message.startsWith('There is no key, kind or device type "nosuch"') && /nic\.hwaddr/.test(error.hint ?? ''),
  );
  assert.throws(() => explain('instance.__proto__'));
  assert.throws(() => explain('constructor'));
});

test('every kind and every option has an explanation', () => {
  for (const kind of ALL_KINDS) assert.ok(explanationText(explain(kind)).length > kind.length + 10, kind);
  for (const option of optionsOf('instance')) {
    const { key } = option;
    assert.ok(explain(`instance.config.${key}`).description.length > 10, key);
  }
  for (const scope of OPTION_SCOPES.filter((one) => one.startsWith('device/'))) {
    assert.ok(explain(`instance.devices.${scope.slice(7)}`).description.length > 5, scope);
  }
});
