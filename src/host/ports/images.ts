// Images on this host: fetched or built once, kept below `<state-dir>/images`, identified by LXD's fingerprint.

export type ImageSource =
  | { readonly type: 'build-busybox' }
  | {
      readonly type: 'build-debian';
      readonly release: string;
      readonly packages: readonly string[];
      readonly mirror?: string;
      readonly variant?: string;
    }
  | { readonly type: 'file'; readonly path: string; readonly rootfs?: string; readonly sha256?: string };

export interface ImageHold {
  readonly sourceHash: string;
  readonly since: number;
}

export interface ImageReading {
  /** sha256 of the unified tarball, or of metadata followed by rootfs (LXD's rule). For builds: of the artefact made. */
  readonly fingerprint: string;
  /** Hash of the source spec it was made from: a build is made again only when this changes. */
  readonly sourceHash: string;
  readonly sizeBytes: number;
  readonly createdAt: number;
  readonly properties: Readonly<Record<string, string>>;
  readonly architecture: string;
  /**
   * Image objects (by uid) that need it, each with the hash of its source spec and since when (epoch ms). The object's current image
   * is the one it holds since last.
   */
  readonly holders: Readonly<Record<string, ImageHold>>;
}

export interface ImagePort {
  /** Complete listing by fingerprint. Throws when an image's record cannot be read. */
  list(): Promise<ReadonlyMap<string, ImageReading>>;
  /** Those of these fingerprints whose record is there, looked for one by one: whether what `list` lacks is really not there. */
  present(fingerprints: readonly string[]): Promise<ReadonlySet<string>>;
  /**
   * Builds or imports, and makes `holder` (an Image object's uid) hold the result from now on. An image with this source hash that
   * is already there is only held, not made again. Progress: text and 0..1.
   */
  create(
    source: ImageSource,
    sourceHash: string,
    holder: string,
    progress: (text: string, fraction?: number) => void,
    signal: AbortSignal,
  ): Promise<ImageReading>;
  /** Ends `holder`'s hold; the image is removed when nobody holds it any more. Missing is fine. */
  release(fingerprint: string, holder: string, signal: AbortSignal): Promise<void>;
}
