// nft's JSON listing (libnftables-json(5)) as typed chains and rules. Unknown statements and matches are kept as they are.
import { AppError } from '../../../core/errors.ts';

export interface Chain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  /** Base chains only. */
  readonly hook: string | undefined;
  readonly type: string | undefined;
  readonly priority: number;
  readonly policy: string | undefined;
  /** Each rule as its list of statements. */
  readonly rules: Rule[];
}

export interface Rule {
  readonly comment: string | undefined;
  readonly statements: readonly Statement[];
}

export type Statement = Readonly<Record<string, unknown>>;

/** Key of a chain: `FAMILY TABLE NAME`. */
export type Ruleset = ReadonlyMap<string, Chain>;

export function chainKey(family: string, table: string, name: string): string {
  return `${family} ${table} ${name}`;
}

/** Parses `nft -j list ruleset`; throws HOST_UNREADABLE when it is not what nft writes. */
export function parseRuleset(text: string): Ruleset {
  const chains = new Map<string, Chain>();
  for (const item of listed(text)) {
    if (isObject(item['chain'])) {
      const chain = chainOf(item['chain']);
      chains.set(chainKey(chain.family, chain.table, chain.name), chain);
    }
    if (isObject(item['rule'])) {
      const { family, table, chain, expr, comment } = item['rule'];
      const owner = chains.get(chainKey(textOf(family), textOf(table), textOf(chain)));
      const statements = Array.isArray(expr) ? expr.filter((one: unknown) => isObject(one)) : [];
      owner?.rules.push({ comment: typeof comment === 'string' ? comment : undefined, statements });
    }
  }
  return chains;
}

function listed(text: string): Statement[] {
  try {
    const parsed: unknown = JSON.parse(text);
    const items = isObject(parsed) && Array.isArray(parsed['nftables']) ? parsed['nftables'].filter((one: unknown) => isObject(one)) : [];
    // nft begins every listing with its version, also that of an empty ruleset: a listing without it is none.
    if (isObject(items[0]?.['metainfo'])) return items;
  } catch (error) {
    throw new AppError('HOST_UNREADABLE', { what: 'nftables' }, { message: 'The listing of nft is not JSON.', cause: error });
  }
  throw new AppError('HOST_UNREADABLE', { what: 'nftables' }, { message: 'The listing of nft has an unknown form.' });
}

function chainOf(chain: Statement): Chain {
  return {
    family: textOf(chain['family']),
    table: textOf(chain['table']),
    name: textOf(chain['name']),
    hook: optionalText(chain['hook']),
    type: optionalText(chain['type']),
    priority: typeof chain['prio'] === 'number' ? chain['prio'] : 0,
    policy: optionalText(chain['policy']),
    rules: [],
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function optionalText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

export function isObject(value: unknown): value is Statement {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
