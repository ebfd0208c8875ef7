// `update` of an instance: how far a change of its manifest may go by itself.
import { Type } from 'typebox';
import { closed } from './common.ts';

export const updateSchema = closed(
  {
    restart: Type.Optional(
      Type.Enum(['Auto', 'Manual', 'Window'], {
        default: 'Auto',
        description:
          'Whether it is restarted for a change that needs that. `Manual` waits for `lockstep confirm`, and what can be changed live is changed. `Window` is not supported yet.',
      }),
    ),
    recreate: Type.Optional(
      Type.Enum(['Confirm', 'Auto', 'Never'], {
        default: 'Confirm',
        description:
          'Whether its root volume is made anew for another image or root pool. `Confirm` waits for `lockstep confirm`. The former root is kept as a tombstone.',
      }),
    ),
    image: Type.Optional(
      Type.Enum(['Keep', 'Follow'], {
        default: 'Keep',
        description:
          'What to do when the image of that name was built or imported anew. `Keep` only says so (`ImageOutdated`); `Follow` recreates the instance, as `recreate` says.',
      }),
    ),
    maxUnavailable: Type.Optional(
      Type.Unsafe<number | string>({
        type: ['integer', 'string'],
        default: '10%',
        description:
          'How many of the instances that one revision restarts, recreates or renames may be down at the same time: a number from 1, or a percentage of them, rounded down, but at least one.',
        examples: [2, '25%'],
      }),
    ),
  },
  'How far a change of its manifest may go by itself.',
);

/** Instances at a time: a number, or a share of those that a revision touches. */
export type MaxUnavailable = { readonly count: number } | { readonly percent: number };

/** Undefined when it is not one. */
export function parseMaxUnavailable(value: string | number): MaxUnavailable | undefined {
  const [, digits, percent] = /^([1-9][0-9]{0,3})(%?)$/.exec(String(value)) ?? [];
  if (digits === undefined) return undefined;
  if (percent === '') return { count: Number(digits) };
  return Number(digits) <= 100 ? { percent: Number(digits) } : undefined;
}
