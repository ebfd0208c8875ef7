// Links, addresses and routes of the host, with errors that name the link. Everything goes through rtnetlink in the addon.
import { writeFile } from 'node:fs/promises';
import { AppError, type ErrorCode, isErrno } from '../../../core/errors.ts';
import type { LinkReading, LinksReading } from '../../ports/network.ts';
import { rawNetlink, type RawLinkChange, type RawNetlink } from './netlink-binding.ts';

type LinkListener = (link: string, lost: boolean) => void;

export class Links {
  readonly #netlink: RawNetlink = rawNetlink();
  readonly #listeners = new Set<LinkListener>();
  #unwatch: (() => void) | undefined;

  /** One complete reading; rejects with HOST_UNREADABLE. */
  async read(): Promise<LinksReading> {
    const { links, routes } = await this.#netlink.netlinkRead().catch((error: unknown) => {
      throw new AppError('HOST_UNREADABLE', { what: 'links' }, { message: 'The links of the host could not be listed.', cause: error });
    });
    return { links: byName(links), routes };
  }

  /** These, as far as they are there; rejects with HOST_UNREADABLE. */
  async readSome(names: readonly string[]): Promise<ReadonlyMap<string, LinkReading>> {
    const links = await this.#netlink.netlinkReadSome(names).catch((error: unknown) => {
      throw new AppError('HOST_UNREADABLE', { what: 'links' }, { message: 'Links of the host could not be read.', cause: error });
    });
    return byName(links);
  }

  /** Those of these links that are there; rejects with HOST_UNREADABLE. */
  async present(names: readonly string[]): Promise<ReadonlySet<string>> {
    const found = await this.#netlink.netlinkPresent(names).catch((error: unknown) => {
      throw new AppError(
        'HOST_UNREADABLE',
        { what: 'links' },
        { message: 'It could not be found out which links are there.', cause: error },
      );
    });
    return new Set(found);
  }

  async addBridge(name: string, initial: RawLinkChange): Promise<void> {
    const { hwaddr, mtu, alias } = initial;
    // A bridge follows the smallest MTU of its ports until its own is *changed* (BROPT_MTU_SET_BY_USER, net/bridge/br_device.c): it is
    // made with another one, so that setting the wanted one is a change.
    const first = mtu === undefined ? {} : { mtu: mtu === 1500 ? 1501 : 1500 };
    await this.#netlink.netlinkAddBridge(name, { ...first, ...(hwaddr === undefined ? {} : { hwaddr }) }).catch((error: unknown) => {
      if (!isErrno(error, 'EEXIST')) throw linkError(name, 'The bridge could not be made', error);
      throw new AppError(
        'NETWORK_FOREIGN',
        { link: name },
        {
          message: `There is already a link "${name}" that is not ours.`,
          hint: `Rename the network, or remove the link: ip link delete ${name}`,
          cause: error,
        },
      );
    });
    await keepGuestsFromConfiguring(name);
    // The kernel takes an alias only for a link that exists (rtnl_newlink does not look at IFLA_IFALIAS).
    await this.set(name, { ...(mtu === undefined ? {} : { mtu }), ...(alias === undefined ? {} : { alias }) });
  }

  async set(name: string, change: RawLinkChange): Promise<void> {
    await this.#netlink.netlinkSetLink(name, change).catch((error: unknown) => {
      throw linkError(name, 'The link could not be changed', error);
    });
  }

  async setAddresses(name: string, addresses: readonly string[]): Promise<void> {
    await this.#netlink.netlinkSetAddresses(name, addresses).catch((error: unknown) => {
      throw linkError(name, 'The addresses could not be set', error);
    });
  }

  /** Already gone is fine. */
  async delete(name: string): Promise<void> {
    await this.#netlink.netlinkDeleteLink(name).catch((error: unknown) => {
      if (!isErrno(error, 'ENODEV')) throw linkError(name, 'The link could not be deleted', error);
    });
  }

  /** The listener gets a link's name, or '' when anything may have changed. */
  onChange(listener: LinkListener): () => void {
    this.#listeners.add(listener);
    this.#unwatch ??= this.#netlink.netlinkWatchLinks((links, everything, lost) => {
      const gone = new Set(lost);
      for (const name of everything ? ['', ...links] : links) for (const one of this.#listeners) one(name, gone.has(name));
    });
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#listeners.clear();
    this.#unwatch?.();
    this.#unwatch = undefined;
  }
}

function byName(links: readonly LinkReading[]): ReadonlyMap<string, LinkReading> {
  return new Map(links.map((link) => [link.name, link]));
}

/**
 * A guest is root in its own network namespace: its router advertisements must not give the host an address or a default route.
 * Without duplicate address detection the bridge's link-local address is usable at once, so dnsmasq does not wait for it.
 * A kernel without IPv6 has no such files.
 */
async function keepGuestsFromConfiguring(bridge: string): Promise<void> {
  for (const setting of ['accept_ra', 'autoconf', 'accept_dad']) {
    await writeFile(`/proc/sys/net/ipv6/conf/${bridge}/${setting}`, '0').catch((error: unknown) => {
      if (!isErrno(error, 'ENOENT')) throw linkError(bridge, `The setting ${setting} could not be written`, error);
    });
  }
}

function linkError(link: string, what: string, error: unknown): AppError {
  const code: ErrorCode = isErrno(error, 'ENODEV') ? 'NETWORK_MISSING' : 'NETWORK_FAILED';
  return new AppError(code, { link }, { message: `${what}: link "${link}".`, cause: error });
}
