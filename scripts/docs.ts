// Writes docs/reference/ from the schemas and tables: one page per kind, options, devices, what is planned, conditions, and the JSON
// Schemas for editors and of plans. A test compares the files with what this would write.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PlanReportSchema } from '../src/api/schemas.ts';
import { ALL_KINDS } from '../src/schemas/kinds/table.ts';
import { editorSchema, editorSchemaOf } from '../src/schemas/editor-schema.ts';
import { referencePages } from '../src/schemas/reference.ts';
import { conditionsPage, metricsPage } from './docs-status.ts';

/** Content by path below docs/reference/. */
export function generatedReference(): ReadonlyMap<string, string> {
  const files = new Map(referencePages());
  files.set('conditions.md', conditionsPage());
  files.set('metrics.md', metricsPage());
  files.set('schema/lockstep.schema.json', toText(editorSchema()));
  for (const kind of ALL_KINDS) files.set(`schema/${kind.toLowerCase()}.schema.json`, toText(editorSchemaOf(kind)));
  files.set('schema/plan.schema.json', toText(planSchema()));
  return files;
}

/** What `lockstep plan --format json` prints and `GET /v1/plan` answers. */
function planSchema(): unknown {
  const title = 'A plan of Lockstep';
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', $id: 'plan.schema.json', title, ...PlanReportSchema };
}

function toText(schema: unknown): string {
  return `${JSON.stringify(schema, null, 1)}\n`;
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '../docs/reference');
  for (const [path, text] of generatedReference()) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
    console.log(`docs/reference/${path}`);
  }
}
