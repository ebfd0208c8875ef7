import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AppError } from '../../../../src/core/errors.ts';
import { findConflicts } from '../../../../src/host/network/nftables/conflicts.ts';
import { bridgeOfChain, clearRules, setRules } from '../../../../src/host/network/nftables/rules.ts';
import { parseRuleset } from '../../../../src/host/network/nftables/ruleset.ts';

const TABLE = 'lockstep_ls';
const SPEC = { bridge: 'ls-lan', nat: ['10.20.0.0/24'], services: true, forward: true };

describe('our rules', () => {
  test('masquerade only what leaves the network, and name the network in each comment', () => {
    const text = setRules(TABLE, SPEC, 'abcdef0123456789');
    assert.match(
      text,
      /^add rule inet lockstep_ls nat\.ls-lan oifname != "ls-lan" ip saddr 10\.20\.0\.0\/24 ip daddr != 10\.20\.0\.0\/24 masquerade comment "lockstep ls-lan abcdef012345"$/m,
    );
    const rules = text.split('\n').filter((line) => line.startsWith('add rule'));
    assert.equal(rules.length, 6);
    assert.ok(rules.every((rule) => rule.includes('comment "lockstep ls-lan ')));
  });

  test('leave out what is off, removing what an earlier transaction made', () => {
    const text = setRules(TABLE, { ...SPEC, services: false, forward: false }, 'ab');
    assert.doesNotMatch(text, /hook (input|forward)/);
    assert.match(text, /^delete chain inet lockstep_ls in\.ls-lan$/m);
  });

  test('take the table along with the last network only', () => {
    assert.match(clearRules(TABLE, 'ls-lan', { last: true }), /^delete table inet lockstep_ls$/m);
    assert.doesNotMatch(clearRules(TABLE, 'ls-lan', { last: false }), /delete table/);
  });

  test('refuse names and subnets that would be more rules', () => {
    for (const bad of [{ bridge: 'ls"; flush ruleset; #' }, { bridge: 'ls\nflush ruleset' }, { nat: ['10.0.0.0/8; flush ruleset'] }]) {
      assert.throws(
        () => setRules(TABLE, { ...SPEC, ...bad }, 'ab'),
        (error: unknown) => error instanceof AppError && error.code === 'VALUE_INVALID',
      );
    }
    assert.throws(() => clearRules(TABLE, 'a b', { last: false }), AppError);
  });

  test('chains lead back to their bridge', () => {
    assert.deepEqual(bridgeOfChain('fwd.ls-a.b'), { role: 'fwd', bridge: 'ls-a.b' });
    assert.equal(bridgeOfChain('forward'), undefined);
  });
});

const NETWORK = { bridge: 'ls-lan', forward: true, services: true };

type Json = Record<string, unknown>;

function chain(name: string, hook: string | undefined, policy: string, extra: Json = {}): Json {
  const base = hook === undefined ? {} : { type: 'filter', hook, prio: 0, policy };
  return { chain: { family: 'ip', table: 'filter', name, handle: 1, ...base, ...extra } };
}

function rule(chainName: string, ...expr: Json[]): Json {
  return { rule: { family: 'ip', table: 'filter', chain: chainName, handle: 2, expr } };
}

function match(left: Json, right: unknown, op = '=='): Json {
  return { match: { op, left, right } };
}

const iif = (name: string, op?: string): Json => match({ meta: { key: 'iifname' } }, name, op);
const oif = (name: string, op?: string): Json => match({ meta: { key: 'oifname' } }, name, op);
const tcp = (port: number): Json => match({ payload: { protocol: 'tcp', field: 'dport' } }, port);
const udp = (port: unknown): Json => match({ payload: { protocol: 'udp', field: 'dport' } }, port);
const established = match({ ct: { key: 'state' } }, { set: ['established', 'related'] }, 'in');
const ACCEPT = { accept: null };
const DROP = { drop: null };

function conflicts(...items: Json[]): string[] {
  const ruleset = parseRuleset(JSON.stringify({ nftables: [{ metainfo: {} }, ...items] }));
  return findConflicts(ruleset, TABLE, [NETWORK]).map(({ message, hint }) => `${message} ${hint}`);
}

describe('rules of others', () => {
  test('a listing that is cut, or does not begin as nft begins it, is no empty ruleset', () => {
    const whole = JSON.stringify({ nftables: [{ metainfo: { version: '1.0.6' } }, { table: { family: 'inet', name: 'lockstep_ls' } }] });
    assert.equal(parseRuleset(whole).size, 0);
    for (const text of ['', whole.slice(0, -3), '{"nftables": []}', '{"nftables": [{"table": {}}]}', '[]', 'null']) {
      assert.throws(() => parseRuleset(text), { code: 'HOST_UNREADABLE' }, text);
    }
  });

  test('a forward policy of drop is a conflict, with a command for it', () => {
    const [found, ...rest] = conflicts(chain('FORWARD', 'forward', 'drop'));
    assert.equal(rest.length, 0);
    assert.match(found!, /chain "FORWARD" of table "ip filter" drops traffic from its guests on bridge "ls-lan"/);
    assert.match(
      found!,
      /nft insert rule ip filter FORWARD iifname ls-lan accept && nft insert rule ip filter FORWARD oifname ls-lan accept/,
    );
  });

  test('an accept for the bridge in both directions mends it; one direction is not enough', () => {
    const policy = chain('FORWARD', 'forward', 'drop');
    assert.deepEqual(conflicts(policy, rule('FORWARD', iif('ls-lan'), ACCEPT), rule('FORWARD', oif('ls-lan'), ACCEPT)), []);
    assert.deepEqual(conflicts(policy, rule('FORWARD', iif('ls-*'), ACCEPT), rule('FORWARD', established, ACCEPT)), []);
    assert.match(conflicts(policy, rule('FORWARD', iif('ls-lan'), ACCEPT))[0]!, /answers to its guests/);
  });

  test('accepts for other bridges or for single ports do not hide the drop', () => {
    const policy = chain('FORWARD', 'forward', 'drop');
    assert.equal(
      conflicts(policy, rule('FORWARD', iif('docker0'), ACCEPT), rule('FORWARD', iif('docker0', '!='), tcp(80), ACCEPT)).length,
      1,
    );
  });

  test('follows jumps, and names Docker’s own chain for the mending rule', () => {
    const items = [
      chain('FORWARD', 'forward', 'drop'),
      chain('DOCKER-USER', undefined, ''),
      rule('FORWARD', { jump: { target: 'DOCKER-USER' } }),
    ];
    assert.match(conflicts(...items)[0]!, /insert rule ip filter DOCKER-USER iifname ls-lan/);
    const mended = [rule('DOCKER-USER', iif('ls-lan'), ACCEPT), rule('DOCKER-USER', oif('ls-lan'), ACCEPT)];
    assert.deepEqual(conflicts(...items, ...mended), []);
  });

  test('a return ends the called chain only', () => {
    const items = [chain('FORWARD', 'forward', 'accept'), chain('sub', undefined, ''), rule('FORWARD', { jump: { target: 'sub' } })];
    assert.deepEqual(conflicts(...items, rule('sub', { return: null }), rule('sub', DROP)), []);
    assert.equal(conflicts(...items, rule('sub', iif('other'), { return: null }), rule('sub', { reject: null })).length, 1);
  });

  test('a drop of a single port or of other links is none of ours', () => {
    const open = chain('FORWARD', 'forward', 'accept');
    assert.deepEqual(conflicts(open, rule('FORWARD', tcp(25), DROP), rule('FORWARD', iif('wlan0'), DROP)), []);
    assert.deepEqual(conflicts(open, rule('FORWARD', { xt: { type: 'match', name: 'set' } }, DROP)), []);
  });

  test('an input chain that lets DHCP in but not DNS is a conflict about DNS', () => {
    const items = [chain('INPUT', 'input', 'drop'), rule('INPUT', udp({ set: [67, 68] }), ACCEPT)];
    assert.match(conflicts(...items)[0]!, /drops DNS of its guests/);
    assert.deepEqual(conflicts(...items, rule('INPUT', udp({ range: [50, 60] }), ACCEPT)), []);
  });

  test('firewalld and ufw are mended by their own commands', () => {
    assert.match(conflicts(chain('filter_FORWARD', 'forward', 'drop', { table: 'firewalld' }))[0]!, /firewall-cmd --permanent/);
    assert.match(
      conflicts(chain('FORWARD', 'forward', 'drop'), chain('ufw-user-forward', undefined, ''))[0]!,
      /ufw route allow in on ls-lan/,
    );
  });

  test('our own table and other hooks are not looked at', () => {
    assert.deepEqual(conflicts(chain('fwd.ls-lan', 'forward', 'drop', { family: 'inet', table: TABLE })), []);
    assert.deepEqual(conflicts(chain('OUTPUT', 'output', 'drop')), []);
  });

  test('chains that jump in a circle end', () => {
    assert.deepEqual(
      conflicts(
        chain('FORWARD', 'forward', 'accept'),
        chain('a', undefined, ''),
        rule('FORWARD', { jump: { target: 'a' } }),
        rule('a', { jump: { target: 'a' } }),
      ),
      [],
    );
  });
});

test('a listing that is not nft’s is an error, never an empty one', () => {
  for (const text of ['', '{}', '[]', '{"nftables": 1}']) {
    assert.throws(
      () => parseRuleset(text),
      (error: unknown) => error instanceof AppError && error.code === 'HOST_UNREADABLE',
    );
  }
});
