import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Facts, Recorded } from '../../../../src/kinds/kind.ts';
import { profileKind } from '../../../../src/kinds/profile/kind.ts';
import type { HostView } from '../../../../src/host/ports/view.ts';
import { documentsOf, manifest } from '../../schemas/manifests.ts';

const [document] = documentsOf(
  manifest(
    'Profile',
    'web',
    'spec: { config: { limits.cpu: 2, environment.TOKEN: s3cr3t }, devices: { eth0: { type: nic, network: lan } } }',
  ),
);
const { spec } = profileKind.resolve(document!, { document: () => undefined });

const nothing = {} as unknown;

test('a profile is what it declares', () => {
  assert.deepEqual(spec, {
    config: { 'limits.cpu': '2', 'environment.TOKEN': 's3cr3t' },
    devices: { eth0: { type: 'nic', network: 'lan' } },
  });
});

test('it is there without the host being asked, and nothing is ever to be done', async () => {
  // Any use of the view would throw: it has no members.
  const seen = await profileKind.observe(nothing as HostView, document!.ref, undefined, new AbortController().signal);
  assert.equal(seen.is, 'present');
  const input = { ref: document!.ref, recorded: nothing as Recorded, facts: nothing as Facts };
  for (const desired of [spec, undefined]) {
    assert.deepEqual(profileKind.diff({ ...input, desired, actual: { declared: true } }), []);
  }
  assert.equal(profileKind.declarationOnly, true);
});

test('what is stored and shown of it has no secrets', () => {
  const redacted = profileKind.redact(spec!, (secret) => `#${secret.length}`);
  assert.deepEqual(redacted, {
    config: { 'limits.cpu': '2', 'environment.TOKEN': '#6' },
    devices: { eth0: { type: 'nic', network: 'lan' } },
  });
});
