// The raw rtnetlink part of the addon (native/src/netlink.cc): types only, and the one call that gets it.
import { loadNative } from '../../lxc/binding.ts';

export interface RawLink {
  readonly name: string;
  readonly index: number;
  /** The kernel's link kind; `` for physical links. */
  readonly type: string;
  readonly hwaddr: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly master: string | undefined;
  readonly alias: string | undefined;
  readonly addresses: readonly string[];
}

export interface RawLinkChange {
  readonly mtu?: number;
  readonly up?: boolean;
  readonly hwaddr?: string;
  readonly alias?: string;
  /** Null takes the link out of its bridge. */
  readonly master?: string | null;
}

/** Promises reject with an Error whose `code` is the errno's name and whose message holds the kernel's own words. */
export interface RawNetlink {
  /** Links, addresses and the destinations of all routes but the table `local`, from complete listings. */
  netlinkRead(): Promise<{ readonly links: readonly RawLink[]; readonly routes: readonly string[] }>;
  /** These, as far as they are there. Costs by their number, not by the links of the host. */
  netlinkReadSome(names: readonly string[]): Promise<readonly RawLink[]>;
  /** Those of these links that are there. */
  netlinkPresent(names: readonly string[]): Promise<readonly string[]>;
  netlinkAddBridge(name: string, initial: RawLinkChange): Promise<void>;
  /** The host side, and the other one in the network namespace of the descriptor, which is brought up. */
  netlinkAddVeth(
    name: string,
    initial: RawLinkChange,
    peer: { readonly name: string; readonly hwaddr: string; readonly mtu?: number },
    netns: number,
  ): Promise<void>;
  netlinkSetLink(name: string, change: RawLinkChange): Promise<void>;
  netlinkSetAddresses(name: string, addresses: readonly string[]): Promise<void>;
  netlinkDeleteLink(name: string): Promise<void>;
  /**
   * `everything`: events were lost, routes changed, or forwarding was switched. `lost`: those of the links that are gone, have left their
   * bridge, or are down. Returns the function that ends it; it does not hold the process.
   */
  netlinkWatchLinks(callback: (links: readonly string[], everything: boolean, lost: readonly string[]) => void): () => void;
  /** Called once per batch of nftables transactions, by anyone; with the process that made the last of them, where the kernel tells. */
  netlinkWatchNftables(
    callback: (links: readonly string[], everything: boolean, lost: readonly string[], pid: number | undefined, name: string) => void,
  ): () => void;
}

export function rawNetlink(): RawNetlink {
  return loadNative<RawNetlink>();
}
