import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mergedView, type MergedView } from '../../../../src/cli/offline/merged-view.ts';
import { refKey } from '../../../../src/core/ref.ts';
import { parseManifests } from '../../../../src/schemas/parse.ts';

const PROFILES = `apiVersion: lockstep/v1
kind: Profile
metadata: { name: default }
spec:
  config: { limits.cpu: 1, limits.memory: 1GiB }
  devices:
    root: { type: disk, path: /, pool: fast }
    eth0: { type: nic, network: lan }
---
apiVersion: lockstep/v1
kind: Profile
metadata: { name: small }
spec:
  config:
    limits.memory: 64MiB
`;
const WEB = `apiVersion: lockstep/v1
kind: Instance
metadata: { name: web }
spec:
  image: box
  profiles: [default, small, gone]
  config:
    limits.cpu: 2
    environment.TOKEN: abc
  devices:
    eth0: { type: none }
`;

function view(): MergedView {
  const { documents } = parseManifests([
    { path: 'p.yaml', text: PROFILES, source: 's' },
    { path: 'w.yaml', text: WEB, source: 's' },
  ]);
  const byRef = new Map(documents.map((document) => [refKey(document.ref), document]));
  return mergedView(documents.at(-1)!, { document: (ref) => byRef.get(refKey(ref)) });
}

test('each value has its file and line, and what it replaces', () => {
  const { config } = view();
  assert.deepEqual(config['limits.cpu'], {
    value: '2',
    from: 'w.yaml:8',
    over: [{ value: '1', from: 'p.yaml:5 (Profile "default")' }],
  });
  assert.deepEqual(config['limits.memory'], {
    value: '64MiB',
    from: 'p.yaml:15 (Profile "small")',
    over: [{ value: '1GiB', from: 'p.yaml:5 (Profile "default")' }],
  });
  assert.deepEqual(config['security.nesting'], { value: 'false', from: 'default', over: [] });
});

test('profiles have their places, also one that nobody declares', () => {
  assert.deepEqual(view().profiles, [
    { name: 'default', from: 'p.yaml:1' },
    { name: 'small', from: 'p.yaml:10' },
    { name: 'gone', from: 'not declared: empty' },
  ]);
});

test('devices replace those of profiles as a whole, and secrets are not shown', () => {
  const { devices, config } = view();
  assert.deepEqual(devices['root']?.options['pool'], { value: 'fast', from: 'p.yaml:7 (Profile "default")', over: [] });
  assert.equal(devices['eth0']?.masked, true);
  assert.deepEqual(devices['eth0']?.over, ['p.yaml:8 (Profile "default")']);
  assert.equal(config['environment.TOKEN']?.value, '(secret)');
});
