import assert from 'node:assert/strict';
import { test } from 'node:test';
import { vethName } from '../../../src/core/names.ts';
import type { RefKey } from '../../../src/core/ref.ts';
import { VethIndex, type VethOwner } from '../../../src/host/veth-index.ts';

const WEB = 'Instance/default/-/web' as RefKey;
const DB = 'Instance/default/-/db' as RefKey;

test('a veth leads to its instance, also of devices and instances that came later, without asking for all at each event', () => {
  const owners: VethOwner[] = [{ key: WEB, uid: 'u1', devices: { eth0: {} } }];
  let asked = 0;
  const index = new VethIndex('ls', () => {
    asked++;
    return owners;
  });
  assert.equal(index.find(vethName('ls', 'u1', 'eth0')), WEB);
  for (let event = 0; event < 10; event++) index.find(vethName('ls', 'u1', 'eth0'));
  assert.equal(asked, 1);
  owners[0] = { key: WEB, uid: 'u1', devices: { eth1: {} } };
  owners.push({ key: DB, uid: 'u2', devices: { eth0: {} } });
  assert.equal(index.find(vethName('ls', 'u1', 'eth1')), WEB);
  assert.equal(index.find(vethName('ls', 'u2', 'eth0')), DB);
  assert.equal(index.find(vethName('ls', 'u1', 'eth0')), WEB, 'of a device that is just being taken away');
  assert.equal(index.find('lsvaaaaaaaaa'), undefined);
});
