// What `lockstep convert` makes of LXD's documents, there and back, next to the documents themselves.
import { isDeepStrictEqual } from 'node:util';
import { convertFiles, type ConvertOptions } from '../../src/cli/offline/convert/convert.ts';
import { isPlainMap, type Plain, type PlainMap, readPlainYaml } from '../../src/cli/offline/convert/plain-yaml.ts';
import { renderYaml } from '../../src/cli/offline/convert/render.ts';
import { READ_ONLY_FIELDS } from '../../src/cli/offline/convert/shapes.ts';

const OPTIONS: ConvertOptions = { to: 'manifest', from: undefined, name: 'converted', image: undefined, pool: undefined };

/** The text made into manifests, and these made into LXD's words again. Throws for what cannot be converted. */
export function thereAndBack(text: string, options: Partial<ConvertOptions> = {}): { manifests: string; back: string } {
  const manifests = converted(text, { ...OPTIONS, ...options });
  return { manifests, back: converted(manifests, { ...OPTIONS, to: 'lxd' }) };
}

function converted(text: string, options: ConvertOptions): string {
  const { documents, problems } = convertFiles([{ path: 'document.yaml', text }], options);
  if (problems.length > 0) throw new Error(problems.map(({ message }) => message).join('\n'));
  return renderYaml(documents);
}

/** A document without what convert leaves out: volatile.*, image.* and facts of the moment. */
export function kept(value: Plain): Plain {
  if (Array.isArray(value)) return value.map((item: Plain) => kept(item));
  if (!isPlainMap(value)) return value;
  const entries = Object.entries(value).filter(([key]) => !/^(?:volatile|image)\./.test(key) && !READ_ONLY_FIELDS.has(key));
  // Of projects, only those that are not the default one are in manifests; a document says it in every case.
  return Object.fromEntries(
    entries.filter(([key, item]) => key !== 'project' || (item !== 'default' && item !== '')).map(([key, item]) => [key, kept(item)]),
  );
}

export function readOne(text: string): PlainMap | undefined {
  return readPlainYaml('document.yaml', text).documents[0]?.value;
}

/** Files whose way back differs, with both texts. */
export function documentDifferences(files: Readonly<Record<string, string>>): string[] {
  return Object.entries(files).flatMap(([file, text]) => {
    const { back } = thereAndBack(text);
    const original = readOne(text);
    const returned = readOne(back);
    // Unmanaged networks and volumes of instances become no manifest, and so nothing.
    if (returned === undefined && /unmanaged|volume-container/.test(file)) return [];
    const same = original !== undefined && returned !== undefined && isDeepStrictEqual(kept(returned), kept(original));
    return same ? [] : [`${file} comes back as\n${back}`];
  });
}
