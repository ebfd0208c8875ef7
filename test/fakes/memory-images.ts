// An image port in memory: stored images with their holders. Builds give a fingerprint that follows from the source. Tests change
// what is stored behind the port's back, or make any of its calls fail, hang, answer with nothing, or end half-way.
import { AppError } from '../../src/core/errors.ts';
import { hashOf } from '../../src/core/hash.ts';
import type { ImagePort, ImageReading, ImageSource } from '../../src/host/ports/images.ts';

type Method = keyof ImagePort;

/** `empty`: a listing answers as if nothing were stored. `half`: a create is interrupted before it is kept. */
export type ImageFault = AppError | 'fail' | 'hang' | 'empty' | 'half';

export class MemoryImages implements ImagePort {
  readonly facts = {
    images: new Map<string, ImageReading>(),
    /** Paths of image files that exist on the host. */
    files: new Set<string>(),
  };
  readonly faults = new Map<Method, ImageFault>();
  /** Names of all calls so far, oldest first. */
  readonly calls: Method[] = [];
  /** Source hashes that were really built or imported, oldest first. */
  readonly made: string[] = [];
  readonly #now: () => number;

  constructor(now: () => number = () => 1_000_000) {
    this.#now = now;
  }

  async list(): Promise<ReadonlyMap<string, ImageReading>> {
    await this.#called('list');
    return new Map(this.faults.get('list') === 'empty' ? [] : this.facts.images);
  }

  async present(fingerprints: readonly string[]): Promise<ReadonlySet<string>> {
    await this.#called('present');
    return new Set(fingerprints.filter((fingerprint) => this.facts.images.has(fingerprint)));
  }

  async create(
    source: ImageSource,
    sourceHash: string,
    holder: string,
    progress: (text: string, fraction?: number) => void,
    signal: AbortSignal,
  ): Promise<ImageReading> {
    await this.#called('create', signal);
    const image = this.#find(sourceHash) ?? this.#make(source, sourceHash, progress);
    const newest = Math.max(0, ...[...this.facts.images.values()].map(({ holders }) => holders[holder]?.since ?? 0));
    const since = Math.max(this.#now(), newest + 1);
    const held = { ...image, holders: { ...image.holders, [holder]: { sourceHash, since } } };
    this.facts.images.set(image.fingerprint, held);
    return held;
  }

  #find(sourceHash: string): ImageReading | undefined {
    return [...this.facts.images.values()].find(
      (image) => image.sourceHash === sourceHash || Object.values(image.holders).some((hold) => hold.sourceHash === sourceHash),
    );
  }

  #make(source: ImageSource, sourceHash: string, progress: (text: string, fraction?: number) => void): ImageReading {
    if (source.type === 'file' && !this.facts.files.has(source.path)) {
      throw new AppError('IMAGE_MISSING', { path: source.path }, { message: `The image file "${source.path}" cannot be read.` });
    }
    progress('making the image', 0.5);
    if (this.faults.get('create') === 'half') throw new AppError('CANCELLED', { sourceHash });
    this.made.push(sourceHash);
    const fingerprint = hashOf(source);
    return (
      this.facts.images.get(fingerprint) ?? {
        fingerprint,
        sourceHash,
        sizeBytes: 1024 ** 2,
        createdAt: this.#now(),
        properties: { description: source.type, 'signal.halt': 'SIGUSR2', 'signal.reboot': 'SIGTERM' },
        architecture: 'x86_64',
        holders: {},
      }
    );
  }

  async release(fingerprint: string, holder: string, signal: AbortSignal): Promise<void> {
    await this.#called('release', signal);
    const image = this.facts.images.get(fingerprint);
    if (image === undefined) return;
    const { [holder]: _ended, ...holders } = image.holders;
    if (Object.keys(holders).length > 0) this.facts.images.set(fingerprint, { ...image, holders });
    else this.facts.images.delete(fingerprint);
  }

  async #called(method: Method, signal?: AbortSignal): Promise<void> {
    this.calls.push(method);
    const fault = this.faults.get(method);
    if (fault === 'fail') throw new AppError('HOST_UNREADABLE', { method }, { message: `The image store refused ${method}.` });
    if (fault instanceof AppError) throw fault;
    if (fault !== 'hang') return;
    await new Promise<never>((_resolve, reject) => {
      signal?.addEventListener('abort', () => reject(new AppError('CANCELLED', { method })), { once: true });
    });
  }
}
