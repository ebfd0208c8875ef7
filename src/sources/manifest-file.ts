// Which files of a source are manifests, and how large things may be: the same for a directory and for a git repository.

export interface WalkLimits {
  readonly files: number;
  readonly fileBytes: number;
  readonly totalBytes: number;
  readonly depth: number;
}

export const DEFAULT_LIMITS: WalkLimits = { files: 50_000, fileBytes: 4 * 1024 * 1024, totalBytes: 512 * 1024 * 1024, depth: 32 };

export const IGNORE_FILE = '.lockstepignore';
export const MAX_IGNORE_BYTES = 256 * 1024;

const MANIFEST = /\.(?:ya?ml|json)$/;

export function isManifestName(path: string): boolean {
  return MANIFEST.test(path);
}

/** Throws an Error that says so when it is not UTF-8. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Error('is not UTF-8 text');
  }
}
