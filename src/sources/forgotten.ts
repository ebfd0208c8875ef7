// A source that is no longer configured and was forgotten with --prune: it declares nothing any more. So its objects go the way of all
// objects whose source became empty, with the same confirmation, budget, protection and tombstones.
import type { Snapshot, Source } from './snapshot.ts';

export class ForgottenSource implements Source {
  readonly name: string;
  readonly location = 'no longer configured; its objects are to be deleted';
  readonly #since: number;

  constructor({ name, at }: { readonly name: string; readonly at: number }) {
    this.name = name;
    this.#since = at;
  }

  async read(): Promise<Snapshot> {
    return { source: this.name, revision: 'forgotten', files: [], complete: true, since: this.#since };
  }

  async watch(): Promise<void> {}

  async close(): Promise<void> {}
}
