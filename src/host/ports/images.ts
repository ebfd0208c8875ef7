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

export interface ImageReading {
  /** sha256 of the unified tarball, or of metadata followed by rootfs (LXD's rule). For builds: of the artefact made. */
  readonly fingerprint: string;
  /** Hash of the source spec it was made from: a build is made again only when this changes. */
  readonly sourceHash: string;
  readonly sizeBytes: number;
  readonly createdAt: number;
  readonly properties: Readonly<Record<string, string>>;
  readonly architecture: string;
}

export interface ImagePort {
  list(): Promise<ReadonlyMap<string, ImageReading>>;
  /** Builds or imports. Already there with this source hash is fine. Progress: text and 0..1. */
  create(
    source: ImageSource,
    sourceHash: string,
    progress: (text: string, fraction?: number) => void,
    signal: AbortSignal,
  ): Promise<ImageReading>;
  delete(fingerprint: string, signal: AbortSignal): Promise<void>;
}
