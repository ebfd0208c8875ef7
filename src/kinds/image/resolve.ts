// From an image's document to its typed spec, identified by a hash of what it is made from. Offline.
import { hashOf } from '../../core/hash.ts';
import type { ImageSource } from '../../host/ports/images.ts';
import type { ManifestDocument } from '../../schemas/document.ts';
import { problemIn } from '../../schemas/finding.ts';
import type { ImageManifest } from '../../schemas/kinds/image.ts';
import type { Resolved } from '../kind.ts';

export interface ImageSpec {
  readonly source: ImageSource;
  /** The image is made again only when this changes. A file is known by its path and declared sha256, not by reading it. */
  readonly sourceHash: string;
}

/** Raised when a build of the same spec would give a different image: all builds are then made again. */
const BUILD_VERSION = 1;

export function resolve(document: ManifestDocument): Resolved<ImageSpec> {
  const source = sourceOf((document.spec as ImageManifest).source);
  if (source === undefined) {
    const message = 'This source of images is not supported yet.';
    return {
      spec: undefined,
      problems: [problemIn(document, { path: ['spec', 'source'], rule: 'not-supported-yet', message, hint: 'Use "build" or "file".' })],
    };
  }
  return { spec: { source, sourceHash: hashOf({ source, version: source.type === 'file' ? 0 : BUILD_VERSION }) }, problems: [] };
}

function sourceOf(declared: ImageManifest['source']): ImageSource | undefined {
  const { build, file, rootfs, sha256 } = declared;
  if (build?.type === 'busybox') return { type: 'build-busybox' };
  if (build?.type === 'debian' && build.release !== undefined) {
    const { release, packages = [], mirror, variant } = build;
    return {
      type: 'build-debian',
      release,
      // In order and each once: another order is the same image.
      packages: [...new Set(packages)].toSorted(),
      ...(mirror === undefined ? {} : { mirror }),
      ...(variant === undefined ? {} : { variant }),
    };
  }
  if (file === undefined) return undefined;
  return { type: 'file', path: file, ...(rootfs === undefined ? {} : { rootfs }), ...(sha256 === undefined ? {} : { sha256 }) };
}
