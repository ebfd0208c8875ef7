// lockstepd's flags and config file.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AppError } from '../../src/core/errors.ts';
import { type DaemonOptions, parseDaemonOptions } from '../../src/daemon-options.ts';

const ROOT = join(import.meta.dirname, '../..');

function parse(...argv: string[]): DaemonOptions {
  const options = parseDaemonOptions(argv);
  assert.ok(typeof options === 'object');
  return options;
}

function withConfig<T>(text: string, use: (file: string) => T): T {
  const directory = mkdtempSync(join(tmpdir(), 'lockstep-options-'));
  try {
    writeFileSync(join(directory, 'lockstep.yaml'), text);
    return use(join(directory, 'lockstep.yaml'));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function refused(config: string, message: RegExp): void {
  withConfig(config, (file) => {
    assert.throws(
      () => parse('--config', file),
      (error) => error instanceof AppError && message.test(error.message),
      config,
    );
  });
}

test('sources are directories or git repositories', () => {
  const { sources, webhooks } = parse(
    '--source',
    'here=/srv/m',
    '--source',
    'https://e.com/ops/hosts.git#main:a',
    '--source',
    'g=git@e.com:x.git',
  );
  assert.deepEqual(
    sources.map((source) => [source.name, 'git' in source ? `${source.git.url.text} ${source.git.path}` : source.directory]),
    [
      ['here', '/srv/m'],
      ['hosts', 'https://e.com/ops/hosts.git a'],
      ['g', 'git@e.com:x.git '],
    ],
  );
  assert.equal(webhooks, undefined, 'nothing listens by itself');
});

test('hostile sources are refused', () => {
  for (const source of [
    'x=ext::sh -c id',
    'x=https://e.com/h.git#--upload-pack=id',
    'x=ssh://-oProxyCommand=id/h',
    'x=https://e.com/h.git:../etc',
    'x=git://e.com/h',
  ]) {
    assert.throws(() => parse('--source', source), AppError, source);
  }
  assert.throws(() => parse('--source', 'a=/x', '--source', 'a=https://e.com/h.git'), /Two sources have the name "a"/);
  assert.throws(() => parse('--source', 'api=https://e.com/h.git'), /kept for objects/);
});

test('the config file holds sources in full, and where webhooks are taken', () => {
  const config = `
sources:
  - here=/srv/m
  - { directory: /srv/n }
  - { name: prod, url: "https://e.com/h.git", ref: { tag: v1 }, webhook: { type: gitea, secretFile: /etc/s } }
webhooks: { listen: "[::1]:9797" }
`;
  const { sources, webhooks } = withConfig(config, (file) => parse('--config', file));
  assert.deepEqual(
    sources.map((source) => source.name),
    ['here', 'n', 'prod'],
  );
  const prod = sources[2];
  assert.ok(prod !== undefined && 'git' in prod);
  assert.deepEqual(prod.webhook, { type: 'gitea', secretFile: '/etc/s' });
  assert.deepEqual(webhooks, { host: '::1', port: 9797 });
});

test('how often everything is looked at comes from the flag, then the config file', () => {
  assert.equal(parse().resyncMs, undefined);
  assert.equal(
    withConfig('resync: 10m', (file) => parse('--config', file).resyncMs),
    600_000,
  );
  assert.equal(
    withConfig('resync: 10m', (file) => parse('--config', file, '--resync', '1h').resyncMs),
    3_600_000,
  );
  refused('resync: 30d', /from 1s to 7d/);
  refused('resync: often', /duration/);
});

test('how long deleted data is kept, and how much of a pool it may take', () => {
  assert.deepEqual(parse().retention, { ms: 24 * 3600_000, share: 0.1 });
  const read = (config: string) => withConfig(config, (file) => parse('--config', file).retention);
  assert.deepEqual(read('tombstones: { keep: 7d, poolShare: 25% }'), { ms: 7 * 24 * 3600_000, share: 0.25 });
  assert.deepEqual(read('tombstones: { keep: 0s }'), { ms: 0, share: 0.1 });
  refused('tombstones: { keep: 366d }', /from 0s to 365d/);
  refused('tombstones: { keep: long }', /from 0s to 365d/);
  refused('tombstones: { poolShare: 0.1 }', /tombstones\.poolShare/);
  refused('tombstones: { poolShare: 101% }', /from 0% to 100%/);
  refused('tombstones: { days: 3 }', /days/);
});

test('what is done about drift: flags, then sources, then the default', () => {
  const { drift, driftDefault } = parse();
  assert.deepEqual([...drift, driftDefault], ['repair']);
  const config = 'drift: report\nsources: [{ name: a, directory: /a, drift: repair }, { name: b, directory: /b }]';
  const file = withConfig(config, (path) => parse('--config', path));
  assert.deepEqual([[...file.drift], file.driftDefault], [[['a', 'repair']], 'report']);
  const flags = withConfig(config, (path) => parse('--config', path, '--drift', 'a=report', '--drift', 'repair', '--drift', 'api=report'));
  assert.deepEqual([Object.fromEntries(flags.drift), flags.driftDefault], [{ a: 'report', api: 'report' }, 'repair']);
  refused('drift: ignore', /one of repair, report/);
  refused('sources: [{ name: a, directory: /a, drift: never }]', /one of repair, report/);
  assert.throws(() => parse('--drift', 'none=report'), /not configured/);
});

test('what the config file cannot mean is refused', () => {
  refused('sources: [{ name: a }]', /neither a "directory" nor a "url"/);
  refused('sources: [{ name: a, directory: /x, ref: { tag: v1 } }]', /only for git/);
  refused('sources: [{ name: a, url: "https://e.com/h.git", refs: x }]', /unknown key "refs"/);
  refused('sources: [{ name: a, url: "https://e.com/h.git", webhook: { type: github } }]', /secretFile/);
  refused('sources: [{ name: a, url: "https://e.com/h.git", webhook: { type: other, secretFile: /s } }]', /one of github/);
  refused('webhooks: { listen: "9797" }', /ADDRESS:PORT/);
  refused('webhooks: { listen: "127.0.0.1:99999" }', /ADDRESS:PORT/);
  refused('webhooks: { port: 1 }', /unknown key "port"/);
});

test('the sample config works, also with all that is commented out in it', () => {
  const sample = readFileSync(join(ROOT, 'packaging/lockstep.yaml'), 'utf8');
  withConfig(sample, (file) => assert.equal(parse('--config', file).sources.length, 1));
  const all = sample.replace(/^(\s*)# (?=- |  |webhooks:|socketGroup:)/gm, '$1').replace('  - prod=https', '  - other=https');
  const options = withConfig(all, (file) => parse('--config', file));
  assert.deepEqual(
    options.sources.map((source) => source.name),
    ['manifests', 'other', 'prod'],
  );
  assert.deepEqual(options.webhooks, { host: '127.0.0.1', port: 9797 });
});
