// Which instance a host-side veth belongs to. Its name is a hash of the instance's uid and the device's name, so it is looked up in a
// table that grows when a name is asked for that is not in it yet: an event costs the same however many instances there are.
import { vethName } from '../core/names.ts';
import type { RefKey } from '../core/ref.ts';

export interface VethOwner {
  readonly key: RefKey;
  readonly uid: string;
  /** Its devices by name, as declared now. */
  readonly devices: object;
}

export class VethIndex {
  readonly #prefix: string;
  readonly #owners: () => Iterable<VethOwner>;
  readonly #keys = new Map<string, RefKey>();
  /** By uid: the devices whose names are in the table. Names of devices that were taken away stay. */
  readonly #known = new Map<string, object>();

  constructor(prefix: string, owners: () => Iterable<VethOwner>) {
    this.#prefix = prefix;
    this.#owners = owners;
  }

  find(link: string): RefKey | undefined {
    if (!this.#keys.has(link)) this.#grow();
    return this.#keys.get(link);
  }

  #grow(): void {
    for (const { key, uid, devices } of this.#owners()) {
      if (this.#known.get(uid) === devices) continue;
      this.#known.set(uid, devices);
      for (const device of Object.keys(devices)) this.#keys.set(vethName(this.#prefix, uid, device), key);
    }
  }
}
