// What plans look like, reviewed as text. Each folder holds
//   actual.yaml   what the host was made from (nothing when it is not there)
//   drift.json    facts changed behind the daemon's back since: control files by instance, instances that ended
//   desired.yaml  what is planned; `given.yaml` instead: manifests that are not applied yet, on top of actual.yaml
//   plan.txt, plan.md   what is printed
// Real kinds, the real engine, a host in memory. `UPDATE_PLANS=1 node --test test/plans/plans.test.ts` writes the texts anew.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { PlanReport } from '../../src/api/types.ts';
import { planMarkdown } from '../../src/cli/plan-markdown.ts';
import { planText } from '../../src/cli/plan-text.ts';
import { kinds } from '../../src/kinds/registry.ts';
import { Engine } from '../fakes/engine.ts';
import { MemoryHost } from '../fakes/memory-host.ts';

interface Drift {
  readonly cgroup?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly ended?: readonly string[];
  /** The host's containers cannot be listed. */
  readonly unreadable?: boolean;
}

const HERE = import.meta.dirname;
const SCHEMA = JSON.parse(readFileSync(join(HERE, '../../docs/reference/schema/plan.schema.json'), 'utf8')) as object;
const isPlan = new Ajv2020({ strict: false }).compile(SCHEMA);

function readText(folder: string, file: string): string | undefined {
  const path = join(HERE, folder, file);
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

async function planOf(folder: string): Promise<PlanReport> {
  const host = new MemoryHost();
  const engine = new Engine({ host, kinds });
  engine.source.files.set('web.yaml', readText(folder, 'actual.yaml') ?? '');
  host.lxc.onChange((name) => engine.reconciler.look(`Instance/default/-/${name}` as never));
  await engine.reconciler.start();
  await engine.until(() => engine.control.status().settled, 'what was there before');
  // Nothing is repaired or carried out from here on: it only plans.
  await engine.reconciler.close();
  const drift = JSON.parse(readText(folder, 'drift.json') ?? '{}') as Drift;
  for (const [name, files] of Object.entries(drift.cgroup ?? {})) {
    for (const [file, value] of Object.entries(files)) host.lxc.facts.monitors.get(name)!.cgroup.set(file, value);
  }
  for (const name of drift.ended ?? []) host.lxc.crash(name);
  if (drift.unreadable === true) host.lxc.faults.set('list', 'unreadable');
  const desired = readText(folder, 'desired.yaml');
  const given = readText(folder, 'given.yaml');
  if (desired !== undefined) return await engine.control.plan([{ path: 'web.yaml', text: desired }], { source: 'dir', replace: true });
  return await engine.control.plan(given === undefined ? undefined : [{ path: 'given.yaml', text: given }]);
}

/** How fast this machine was is not part of what is reviewed. */
function steady(lines: readonly string[]): string {
  return `${lines.join('\n').replaceAll(/about \d+(?:\.\d)? s/g, 'about N s')}\n`;
}

describe('plans as text', () => {
  for (const folder of readdirSync(HERE, { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
    it(folder.name.replaceAll('-', ' '), async () => {
      const report = await planOf(folder.name);
      const verbose = existsSync(join(HERE, folder.name, 'verbose'));
      const printed = {
        'plan.txt': steady(planText(report, (_style, text) => text, { verbose })),
        'plan.md': steady(planMarkdown(report)),
      };
      for (const [file, text] of Object.entries(printed)) {
        if (process.env['UPDATE_PLANS'] === '1') writeFileSync(join(HERE, folder.name, file), text);
        assert.equal(text, readText(folder.name, file), file);
      }
      assert.ok(isPlan(JSON.parse(JSON.stringify(report))), JSON.stringify(isPlan.errors));
    });
  }
});
