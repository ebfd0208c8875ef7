// Reads the headers of an uncompressed tar archive and refuses whatever could leave the directory it is unpacked into, before anything
// is unpacked: absolute names, `..`, entries that pass through a link of the archive, devices outside /dev, types and sizes that make
// no sense. Data is skipped, so a large archive takes milliseconds. Formats: ustar, pax and GNU (tar(5)).
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { type Entry, quoteName, refused } from './entry.ts';
import { checkEntry, type Layout, startLayout } from './layout.ts';
import { parsePax } from './pax.ts';

export interface ScanLimits {
  readonly maxEntries: number;
  /** Sum of the data that entries carry. */
  readonly maxBytes: number;
  /** Size of one file, holes included. */
  readonly maxFileBytes: number;
}

export const DEFAULT_LIMITS: ScanLimits = { maxEntries: 2_000_000, maxBytes: 64 * 1024 ** 3, maxFileBytes: 1024 ** 4 };

export interface Scan {
  readonly entries: number;
  readonly bytes: number;
  /** Whether there is anything below `rootfs/`, and how the archive writes that name. */
  readonly rootfsPrefix: string | undefined;
  /** Text of `metadata.yaml` at the top. */
  readonly metadata: string | undefined;
}

const BLOCK = 512;
const MAX_EXTENSION_BYTES = 1024 ** 2;
const MAX_METADATA_BYTES = 1024 ** 2;
const READ_AHEAD = 256 * 1024;

/** IMAGE_INVALID when the archive is refused; the message names the entry. */
export async function scanTar(path: string, limits: ScanLimits = DEFAULT_LIMITS): Promise<Scan> {
  const file = await open(path, 'r');
  try {
    return await new Scanner(file, (await file.stat()).size, limits).run();
  } finally {
    await file.close();
  }
}

class Scanner {
  readonly #file: FileHandle;
  readonly #size: number;
  readonly #limits: ScanLimits;
  readonly #layout: Layout = startLayout();
  readonly #buffer = Buffer.alloc(READ_AHEAD);
  #bufferAt = 0;
  #buffered = 0;
  #at = 0;
  #entries = 0;
  #bytes = 0;
  #rootfsPrefix: string | undefined;
  #metadata: string | undefined;

  constructor(file: FileHandle, size: number, limits: ScanLimits) {
    this.#file = file;
    this.#size = size;
    this.#limits = limits;
  }

  async run(): Promise<Scan> {
    let pax: ReadonlyMap<string, string> = new Map();
    let longName: string | undefined;
    let longLink: string | undefined;
    for (;;) {
      // An archive ends with empty blocks; one that just stops was cut off between two entries.
      const header = await this.#read(BLOCK, 'a header');
      if (header.every((byte) => byte === 0)) break;
      checkSum(header, this.#at - BLOCK);
      const type = String.fromCharCode(header[156]!);
      const size = numberField(header, 124, 12);
      if (type === 'x' || type === 'L' || type === 'K' || type === 'g') {
        const text = await this.#readData(size, MAX_EXTENSION_BYTES);
        if (type === 'x') pax = parsePax(text);
        // Global headers could rename every entry after them; archives of images have none but a comment.
        if (type === 'g' && [...parsePax(text).keys()].some((key) => key !== 'comment')) throw refused('it has a global pax header');
        if (type === 'L') longName = cString(text);
        if (type === 'K') longLink = cString(text);
        continue;
      }
      await this.#entry(toEntry(header, type, size, pax, longName, longLink), header);
      pax = new Map();
      longName = undefined;
      longLink = undefined;
    }
    if (this.#entries === 0) throw refused('it is empty or not a tar archive');
    return { entries: this.#entries, bytes: this.#bytes, rootfsPrefix: this.#rootfsPrefix, metadata: this.#metadata };
  }

  async #entry(entry: Entry, header: Buffer): Promise<void> {
    this.#entries++;
    this.#bytes += entry.storedBytes;
    if (this.#entries > this.#limits.maxEntries) throw refused(`it has more than ${this.#limits.maxEntries} entries`);
    if (this.#bytes > this.#limits.maxBytes) throw refused(`it holds more than ${this.#limits.maxBytes} bytes`);
    if (entry.fileBytes > this.#limits.maxFileBytes) throw refused(`the file ${quoteName(entry.name)} would have ${entry.fileBytes} bytes`);
    const path = checkEntry(this.#layout, entry);
    if (path === 'rootfs' || path.startsWith('rootfs/')) {
      const prefix = entry.name.startsWith('./') ? './rootfs' : 'rootfs';
      if (this.#rootfsPrefix !== undefined && this.#rootfsPrefix !== prefix) throw refused('it writes "rootfs" in two ways');
      this.#rootfsPrefix = prefix;
    }
    if (entry.type === 'S') await this.#skipSparseMap(header);
    if (path === 'metadata.yaml') {
      if (entry.type !== '0') throw refused('"metadata.yaml" is not a regular file');
      this.#metadata = (await this.#readData(entry.storedBytes, MAX_METADATA_BYTES)).toString('utf8');
    } else {
      this.#at += padded(entry.storedBytes);
      if (this.#at > this.#size) throw refused(`it is cut off in ${quoteName(entry.name)}`);
    }
  }

  /** GNU's old sparse format: more blocks of the map follow the header while a flag says so. */
  async #skipSparseMap(header: Buffer): Promise<void> {
    let more = header[482] === 1;
    while (more) {
      const block = await this.#read(BLOCK, 'a sparse map');
      more = block[504] === 1;
    }
  }

  async #readData(size: number, limit: number): Promise<Buffer> {
    if (size > limit) throw refused(`a header or metadata.yaml of ${size} bytes is too large`);
    const data = await this.#read(padded(size), 'data');
    return Buffer.from(data.subarray(0, size));
  }

  /** The next bytes, valid until the next call. */
  async #read(size: number, what: string): Promise<Buffer> {
    if (size > READ_AHEAD) {
      const large = Buffer.alloc(size);
      const { bytesRead } = await this.#file.read(large, 0, size, this.#at);
      if (bytesRead < size) throw refused(`it is cut off in ${what}`);
      this.#at += size;
      return large;
    }
    if (this.#at < this.#bufferAt || this.#at + size > this.#bufferAt + this.#buffered) {
      const { bytesRead } = await this.#file.read(this.#buffer, 0, READ_AHEAD, this.#at);
      this.#bufferAt = this.#at;
      this.#buffered = bytesRead;
    }
    const available = this.#bufferAt + this.#buffered - this.#at;
    if (available < size) throw refused(`it is cut off in ${what}`);
    const start = this.#at - this.#bufferAt;
    this.#at += size;
    return this.#buffer.subarray(start, start + size);
  }
}

function toEntry(
  header: Buffer,
  type: string,
  size: number,
  pax: ReadonlyMap<string, string>,
  longName: string | undefined,
  longLink: string | undefined,
): Entry {
  const prefix = header.toString('latin1', 257, 263) === 'ustar\0' ? cString(header.subarray(345, 500)) : '';
  const short = cString(header.subarray(0, 100));
  const storedBytes = pax.has('size') ? decimal(pax.get('size')!) : size;
  const sparseBytes = pax.get('GNU.sparse.realsize') ?? pax.get('GNU.sparse.size');
  const fileBytes = type === 'S' ? numberField(header, 483, 12) : sparseBytes === undefined ? storedBytes : decimal(sparseBytes);
  const name = pax.get('GNU.sparse.name') ?? pax.get('path') ?? longName ?? (prefix === '' ? short : `${prefix}/${short}`);
  const plain = type === '\0' || type === '7' ? '0' : type;
  return { name, link: pax.get('linkpath') ?? longLink ?? cString(header.subarray(157, 257)), type: plain, storedBytes, fileBytes };
}

function checkSum(header: Buffer, at: number): void {
  let sum = 0;
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 32 : header[i]!;
  if (numberField(header, 148, 8) !== sum) throw refused(`it is not a tar archive, or damaged at byte ${at}`);
}

/** Octal text, or GNU's binary form when the first bit is set. */
function numberField(header: Buffer, at: number, width: number): number {
  let value: number;
  if ((header[at]! & 0x80) === 0) {
    const text = header.toString('latin1', at, at + width).replaceAll(/[\0 ]+/g, '');
    value = text === '' ? 0 : /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
  } else {
    value = header[at]! & 0x7f;
    for (let i = at + 1; i < at + width; i++) value = value * 256 + header[i]!;
  }
  if (!Number.isSafeInteger(value)) throw refused('a header holds a number that makes no sense');
  return value;
}

function decimal(text: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw refused('a header holds a number that makes no sense');
  return value;
}

function cString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString('utf8');
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}
