// The notations an option's value may have. Each knows how to read its text and how to explain itself; the option tables name one per key,
// and validation, reference pages and editor schemas all use that same one.
import { type CpuAllowance, type CpuLimit, parseCpuAllowance, parseCpuLimit, parseCpuSet } from '../core/cpu.ts';
import { parseIpv4, parseIpv4Cidr, parseIpv4Range, parseIpv6, parseIpv6Cidr, parseMac } from '../core/ip.ts';
import {
  type IntegerRange,
  type Parsed,
  parseBoolean,
  parseDuration,
  parsed,
  parseInteger,
  parseMode,
  parseRate,
  parseSize,
  parseSizeOrPercent,
  parseSoftHard,
  type SizeOrPercent,
  type SoftHard,
  unexpected,
} from '../core/units.ts';

export interface ValueType<T> {
  /** One or two words for reference tables: `size`. */
  readonly name: string;
  /** What a value looks like, for people. */
  readonly syntax: string;
  readonly parse: (text: string) => Parsed<T>;
  /** The only values there are, for completion and for hints. */
  readonly values?: readonly string[];
  /** May hold line breaks. */
  readonly multiline?: boolean;
}

export const booleanValue: ValueType<boolean> = {
  name: 'boolean',
  syntax: '`true` or `false` (also `1`/`0`, `yes`/`no`, `on`/`off`)',
  parse: parseBoolean,
  values: ['true', 'false'],
};

export function integerValue(range: IntegerRange = {}): ValueType<number> {
  const { min, max } = range;
  const bounds = [min === undefined ? '' : `at least ${min}`, max === undefined ? '' : `at most ${max}`].filter((text) => text !== '');
  return {
    name: 'integer',
    syntax: `a whole number${bounds.length > 0 ? `, ${bounds.join(', ')}` : ''}`,
    parse: (text) => parseInteger(text, range),
  };
}

export const sizeValue: ValueType<number> = { name: 'size', syntax: 'bytes, or with a unit: `512MiB`, `10GiB`, `10GB`', parse: parseSize };

export const memoryValue: ValueType<SizeOrPercent> = {
  name: 'size or percentage',
  syntax: 'a size such as `512MiB`, or a percentage of the host such as `50%`',
  parse: parseSizeOrPercent,
};

export const rateValue: ValueType<number> = {
  name: 'bit rate',
  syntax: 'bits per second, or with a unit: `100Mbit`, `1Gbit`',
  parse: parseRate,
};

export const cpuLimitValue: ValueType<CpuLimit> = {
  name: 'CPU count or set',
  syntax: 'a count such as `2`, or a set such as `0-3,5` (`2-2` is CPU 2 alone)',
  parse: parseCpuLimit,
};

export const cpuSetValue: ValueType<readonly number[]> = { name: 'set of numbers', syntax: 'a set such as `0-3,5`', parse: parseCpuSet };

export const cpuAllowanceValue: ValueType<CpuAllowance> = {
  name: 'CPU allowance',
  syntax: 'a share under contention such as `50%`, or a hard limit such as `25ms/100ms`',
  parse: parseCpuAllowance,
};

export const softHardValue: ValueType<SoftHard> = {
  name: 'process limit',
  syntax: 'a number, `unlimited`, or `SOFT:HARD` such as `1024:4096`',
  parse: parseSoftHard,
};

export const modeValue: ValueType<number> = { name: 'file mode', syntax: 'permission bits in octal such as `0660`', parse: parseMode };

/** Seconds, or `infinite`. dnsmasq refuses leases below two minutes (dnsmasq(8), --dhcp-range). */
export const leaseTimeValue: ValueType<number | 'infinite'> = {
  name: 'duration',
  syntax: 'a duration of at least two minutes such as `1h` or `7d`, or `infinite`',
  parse(text) {
    if (text === 'infinite') return parsed(text);
    const seconds = parseDuration(text);
    return seconds.ok && seconds.value >= 120 ? seconds : unexpected('a duration of at least 2m such as 1h or 7d, or "infinite"');
  },
};

export const ipv4Value: ValueType<string> = { name: 'IPv4 address', syntax: '`10.20.0.10`', parse: parseIpv4 };
export const ipv6Value: ValueType<string> = { name: 'IPv6 address', syntax: '`fd42::10`', parse: parseIpv6 };
export const macValue: ValueType<string> = { name: 'MAC address', syntax: '`00:16:3e:12:34:56`', parse: parseMac };

export const ipv4NetworksValue = listValue({ name: 'IPv4 network', syntax: '`10.30.0.0/24`', parse: parseIpv4Cidr });
export const ipv6NetworksValue = listValue({ name: 'IPv6 network', syntax: '`fd42:1::/64`', parse: parseIpv6Cidr });
export const ipv4RangesValue = listValue({ name: 'IPv4 range', syntax: '`10.20.0.50-10.20.0.99`', parse: parseIpv4Range });

/** The bridge's own address, `auto` (a free subnet is picked and kept) or `none`. */
export const bridgeIpv4Value: ValueType<{ readonly address: string; readonly prefix: number } | 'auto' | 'none'> = {
  name: 'IPv4 address with prefix length',
  syntax: '`10.20.0.1/24`, `auto` (a free subnet is picked and kept) or `none`',
  parse(text) {
    if (text === 'auto' || text === 'none') return parsed(text);
    const expected = 'an address with prefix length such as 10.20.0.1/24, "auto" or "none"';
    const cidr = parseIpv4Cidr(text);
    if (!cidr.ok) return unexpected(expected);
    const { address, prefix, first, last } = cidr.value;
    if (prefix < 8 || prefix > 30) return unexpected(`${expected}, with a prefix length from 8 to 30`);
    const own = Number.parseInt(address.slice(address.lastIndexOf('.') + 1), 10) % (last - first + 1);
    if (own === 0) return unexpected(`${expected}; ${address} is the address of the network itself, take the next one`);
    return parsed({ address, prefix });
  },
};

export function choiceValue<const Word extends string>(...words: readonly Word[]): ValueType<Word> {
  const text = words.map((word) => `"${word}"`).join(', ');
  return {
    name: 'choice',
    syntax: words.map((word) => `\`${word}\``).join(', '),
    parse: (value) => (words.includes(value as Word) ? parsed(value as Word) : unexpected(words.length === 1 ? text : `one of ${text}`)),
    values: words,
  };
}

/** Comma-separated values of one notation. */
export function listValue<T>(item: ValueType<T>): ValueType<readonly T[]> {
  return {
    name: `list of ${item.name}`,
    syntax: `one or more, separated by commas: ${item.syntax}`,
    parse(text) {
      const values: T[] = [];
      if (hasControl(text)) return unexpected(`a list on one line, separated by commas, of ${item.name}s`);
      for (const part of text.split(',')) {
        const one = item.parse(part.trim());
        if (!one.ok) return unexpected(`a list, separated by commas, where each is ${one.expected}`);
        values.push(one.value);
      }
      return parsed(values);
    },
  };
}

/** Text without line breaks or other control characters: it ends up on a line of a configuration file. */
export const textValue: ValueType<string> = {
  name: 'text',
  syntax: 'one line of text',
  parse: (text) => (hasControl(text) ? unexpected('one line of text, without control characters') : parsed(text)),
};

/** Any text, line breaks included. */
export const linesValue: ValueType<string> = { name: 'text', syntax: 'text of any number of lines', parse: parsed, multiline: true };

/** Text that matches a pattern. */
export function patternValue(name: string, syntax: string, pattern: RegExp, expected: string): ValueType<string> {
  return { name, syntax, parse: (text) => (pattern.test(text) && !hasControl(text) ? parsed(text) : unexpected(expected)) };
}

/** An absolute path without `..`, `//` or a trailing slash. */
export const absolutePathValue: ValueType<string> = {
  name: 'path',
  syntax: 'an absolute path without `..`',
  parse(text) {
    const parts = text.split('/').slice(1);
    const clean = text === '/' || (text.startsWith('/') && parts.every((part) => part !== '' && part !== '.' && part !== '..'));
    return clean && text.length < 4096 && !hasControl(text)
      ? parsed(text)
      : unexpected('an absolute path such as /srv/data, without ".." or "//"');
  },
};

/** A network interface's name as the kernel takes it (dev_valid_name): up to 15 characters. */
export const linkNameValue = patternValue(
  'interface name',
  'up to 15 letters, digits, `.`, `_` or `-`',
  /^(?!\.{1,2}$)[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/,
  'an interface name of up to 15 letters, digits, ".", "_" or "-", starting with a letter or digit',
);

/** The name of another object. */
export const objectNameValue = patternValue(
  'name',
  'the name of an object',
  /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/,
  'a name of 1 to 63 letters, digits, ".", "_" or "-"',
);

export const domainValue = patternValue(
  'domain',
  'a DNS domain such as `lan.example`',
  /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/,
  'a DNS domain such as lan.example',
);

// oxlint-disable-next-line no-control-regex -- finding control characters is its purpose
const CONTROL = /[\u0000-\u001f\u007f]/;

export function hasControl(text: string): boolean {
  return CONTROL.test(text);
}

/** An address of either family. */
export const addressValue: ValueType<string> = {
  name: 'address',
  syntax: '`192.0.2.10` or `2001:db8::10`',
  parse(text) {
    const four = parseIpv4(text);
    if (four.ok) return four;
    const six = parseIpv6(text);
    return six.ok ? six : unexpected('an address such as 192.0.2.10 or 2001:db8::10');
  },
};

/** `80`, `80,443`, `8000-8010`. */
export const portsValue = listValue<readonly [number, number]>({
  name: 'port range',
  syntax: '`443` or `8000-8010`',
  parse(text) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    const right = match !== null && first > 0 && last <= 65_535 && first <= last;
    return right ? parsed([first, last] as const) : unexpected('a port such as 443 or a range such as 8000-8010, from 1 to 65535');
  },
});
