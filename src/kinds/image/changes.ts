// What can be done to an image, as data; and each change in words.
import type { ImageSource } from '../../host/ports/images.ts';
import type { Changes } from '../changes.ts';
import type { Described } from '../kind.ts';

export interface ImageChangeTable {
  /** Makes (or finds) the image of this source; the object holds it from then on. `from`: fingerprint it has now. */
  create: { source: ImageSource; sourceHash: string; holder: string; from: string | undefined };
  /** Gives up former images that nothing uses any more. */
  release: { fingerprints: readonly string[]; holder: string };
  delete: { fingerprints: readonly string[]; holder: string };
}

export type ImageChange = Changes<ImageChangeTable>;

const SHORT = 12;

export function describe(change: ImageChange): Described {
  switch (change.do) {
    case 'create': {
      const text = sourceText(change.source);
      const fingerprint = { field: 'fingerprint', knownAfterApply: true } as const;
      if (change.from === undefined) return { verdict: 'create', summary: text, fields: [fingerprint] };
      return {
        verdict: 'live',
        summary: `${text}, for new instances`,
        fields: [{ ...fingerprint, from: change.from.slice(0, SHORT) }],
      };
    }
    case 'release':
      return { verdict: 'live', summary: `remove former versions that nothing uses: ${shortened(change.fingerprints)}`, fields: [] };
    default:
      return { verdict: 'delete', summary: `delete the image ${shortened(change.fingerprints)}`, fields: [] };
  }
}

function shortened(fingerprints: readonly string[]): string {
  return fingerprints.map((fingerprint) => fingerprint.slice(0, SHORT)).join(', ');
}

export function sourceText(source: ImageSource): string {
  if (source.type === 'build-busybox') return 'build a busybox image';
  if (source.type === 'build-debian') return `build a Debian image of "${source.release}" (takes a minute or more)`;
  return `import ${source.path}${source.rootfs === undefined ? '' : ` and ${source.rootfs}`}`;
}
