// A host whose readings can be made to fail, hang, or answer with nothing or with a part; and a list of everything that was written.
import { AppError } from '../../src/core/errors.ts';
import type { Host } from '../../src/host/ports/host.ts';
import { MemoryHost } from './memory-host.ts';

export type Fault = 'fail' | 'hang' | 'empty' | 'truncated';
export type PortName = 'lxc' | 'storage' | 'network' | 'images' | 'files';

export interface FaultyHost {
  readonly memory: MemoryHost;
  readonly host: Host;
  /** `PORT.METHOD`. */
  readonly faults: Map<string, Fault>;
  /** Reads that were asked while they had a fault. */
  readonly asked: Set<string>;
  /** `PORT.METHOD FIRST-ARGUMENT`, oldest first, of methods that are not among the reads. */
  readonly written: string[];
}

export function faultyHost(isRead: (port: PortName, method: string) => boolean): FaultyHost {
  const memory = new MemoryHost();
  const faults = new Map<string, Fault>();
  const asked = new Set<string>();
  const written: string[] = [];
  const wrap = <Port extends object>(name: PortName, port: Port): Port =>
    new Proxy(port, {
      get(target, property) {
        const value: unknown = Reflect.get(target, property, target);
        if (typeof value !== 'function' || typeof property !== 'string') return value;
        const method = value.bind(target) as (...args: unknown[]) => unknown;
        if (property.startsWith('on') || property === 'capabilities') return method;
        return (...args: unknown[]): unknown => {
          const fault = faults.get(`${name}.${property}`);
          if (fault !== undefined) asked.add(`${name}.${property}`);
          if (isRead(name, property)) return spoilt(method(...args) as Promise<unknown>, fault);
          const [first] = args as [string | { readonly name?: string; readonly bridge?: string }];
          written.push(`${name}.${property} ${typeof first === 'object' ? (first.name ?? first.bridge) : first}`);
          return method(...args);
        };
      },
    });
  const { capabilities } = memory;
  const host: Host = {
    capabilities,
    lxc: wrap('lxc', memory.lxc),
    storage: wrap('storage', memory.storage),
    network: wrap('network', memory.network),
    images: wrap('images', memory.images),
    files: wrap('files', memory.files),
  };
  return { memory, host, faults, asked, written };
}

async function spoilt(answer: Promise<unknown>, fault: Fault | undefined): Promise<unknown> {
  const value = await answer;
  if (fault === undefined) return value;
  if (fault === 'fail') throw new AppError('HOST_UNREADABLE', {}, { message: 'The reading failed.' });
  if (fault === 'hang') return new Promise(() => {});
  return part(value, fault === 'empty' ? 0 : 0.5);
}

/** The last so many of a listing's entries; of what is no listing, what an absent or unset thing reads as. */
function part(value: unknown, share: number): unknown {
  if (value instanceof Map) return new Map(last([...(value as Map<unknown, unknown>)], share));
  if (value instanceof Set) return new Set(last([...(value as Set<unknown>)], share));
  if (Array.isArray(value)) return last(value, share);
  if (typeof value === 'boolean') return false;
  if (typeof value !== 'object' || value === null) return value;
  if ('is' in value) return { is: 'missing' };
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, part(member, share)]));
}

function last<Entry>(entries: readonly Entry[], share: number): Entry[] {
  return entries.slice(entries.length - Math.floor(entries.length * share));
}
