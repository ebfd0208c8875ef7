// Documents of LXD or Incus to manifests, and manifests back. Pure: texts in, values and notes out.
import type { Problem } from '../../../schemas/problem.ts';
import { isPlainMap, type PlainDocument, type PlainMap, readPlainYaml } from './plain-yaml.ts';
import { joinDump, takeDumpApart } from './dump.ts';
import { KIND_OF, type ObjectShape, PRINTED_BY, shapeOf } from './shapes.ts';
import { type LxdDocument, toLxd } from './to-lxd.ts';
import { toManifest, type ToManifestOptions } from './to-manifest.ts';

export interface ConvertOptions extends ToManifestOptions {
  readonly to: 'manifest' | 'lxd';
}

export interface Converted {
  readonly value: PlainMap;
  /** What it is, for people: `Instance "web"`. */
  readonly title: string;
  /** What was left out, kept aside, or is not supported yet. */
  readonly notes: readonly string[];
}

export interface Conversion {
  readonly documents: readonly Converted[];
  /** Notes about what became no document. */
  readonly notes: readonly string[];
  readonly problems: readonly Problem[];
}

export interface ConvertFile {
  readonly path: string;
  readonly text: string;
}

export function convertFiles(files: readonly ConvertFile[], options: ConvertOptions): Conversion {
  const run = new Run(options);
  for (const { path, text } of files) {
    const { documents, problems } = readPlainYaml(path, text);
    run.problems.push(...problems);
    for (const document of documents) run.add(path, document);
  }
  return run.result();
}

class Run {
  readonly problems: Problem[] = [];
  readonly #options: ConvertOptions;
  readonly #documents: Converted[] = [];
  readonly #notes: string[] = [];
  /** Parts of a dump that are put together at the end. */
  readonly #dump: { readonly parts: LxdDocument[]; aside: PlainMap } = { parts: [], aside: {} };

  constructor(options: ConvertOptions) {
    this.#options = options;
  }

  add(path: string, { value, line }: PlainDocument): void {
    const shape = shapeOf(value);
    const wanted = this.#options.to === 'lxd' ? 'manifest' : 'document of LXD';
    if (shape === undefined) {
      this.#problem(path, line, `This is no ${wanted} that can be told by its shape.`, `Known: ${Object.values(PRINTED_BY).join(', ')}.`);
    } else if (this.#options.to === 'lxd') {
      if (shape === 'manifest') this.#addManifest(path, line, value);
      else this.#problem(path, line, 'This is no manifest.', 'Leave out --to lxd to convert a document of LXD.');
    } else if (shape === 'manifest') {
      this.#problem(path, line, 'This is a manifest already.', 'With --to lxd it becomes a document of LXD.');
    } else if (shape === 'dump') {
      const { parts, aside } = takeDumpApart(value);
      const before = this.#documents.length;
      for (const part of parts) this.#addLxd(path, line, part.document, part.shape, this.#documents.length === before ? aside : true);
      if (this.#documents.length === before) this.#notes.push(`${path}: the dump holds nothing that needs a manifest`);
    } else {
      this.#addLxd(path, line, value, shape);
    }
  }

  #addLxd(path: string, line: number, document: PlainMap, shape: ObjectShape, dump?: Parameters<typeof toManifest>[3]): void {
    const result = toManifest(document, shape, this.#options, dump);
    if ('value' in result) {
      const { value, notes } = result;
      this.#documents.push({ value, title: `${KIND_OF[shape]} ${JSON.stringify((value['metadata'] as PlainMap)['name'])}`, notes });
    } else if (result.refused !== undefined) {
      this.#problem(path, line, result.refused);
    } else {
      this.#notes.push(`${path}: ${KIND_OF[shape]} ${JSON.stringify(document['name'] ?? '')} is left out: ${result.leftOut}`);
    }
  }

  #addManifest(path: string, line: number, manifest: PlainMap): void {
    const result = toLxd(manifest);
    if ('refused' in result) {
      this.#problem(path, line, result.refused, 'Leave it out: images are imported with "lxc image import".');
    } else if (result.dump === undefined) {
      const title = `${KIND_OF[result.shape]} ${JSON.stringify(result.name)}`;
      this.#documents.push({ value: result.value, title: `${title}, as "${PRINTED_BY[result.shape]}" prints it`, notes: result.notes });
    } else {
      if (isPlainMap(result.dump)) this.#dump.aside = result.dump;
      this.#dump.parts.push(result);
    }
  }

  #problem(file: string, line: number, message: string, hint?: string): void {
    const position = { file, line, column: 1, endLine: line, endColumn: 2 };
    this.problems.push({ ...position, severity: 'error', rule: 'convert', field: '', message, ...(hint === undefined ? {} : { hint }) });
  }

  result(): Conversion {
    const { parts, aside } = this.#dump;
    const documents = [...this.#documents];
    if (parts.length > 0) {
      const value = joinDump(
        parts.map(({ shape, value: document }) => ({ shape, document })),
        aside,
      );
      documents.unshift({ value, title: `A server, as "${PRINTED_BY.dump}" prints it`, notes: parts.flatMap(({ notes }) => notes) });
    }
    return { documents, notes: this.#notes, problems: this.problems };
  }
}
