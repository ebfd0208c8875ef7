// Two pools with one source would write over each other.
import type { ManifestDocument } from '../document.ts';
import type { StoragePoolManifest } from '../kinds/storage-pool.ts';
import type { CheckContext, CheckFinding } from './context.ts';

export function poolSources(context: CheckContext): readonly CheckFinding[] {
  const pools = context.ofKind('StoragePool').filter((pool) => sourceOf(pool) !== undefined);
  return [...Map.groupBy(pools, sourceOf).values()]
    .filter((group) => group.length > 1)
    .flatMap((group) =>
      group.map((pool) => {
        const others = group.filter((other) => other !== pool).map(({ ref, origin }) => `"${ref.name}" (${origin.file}:${origin.line})`);
        const message = `The source "${sourceOf(pool)}" is also that of the pool ${others.slice(0, 3).join(', ')}.`;
        const finding = { path: ['spec', 'config', 'source'], rule: 'equal-source', message, hint: 'Give each pool a source of its own.' };
        return { document: pool, finding, unusable: [pool] };
      }),
    );
}

function sourceOf(pool: ManifestDocument): string | undefined {
  return (pool.spec as StoragePoolManifest).config?.['source'];
}
