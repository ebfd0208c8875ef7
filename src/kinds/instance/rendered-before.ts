// The files of a target that was rendered before. A full look at unchanged instances would else write each one's configuration and
// record anew, twice, only to find that they are what lies there. Pure: the same target has the same files.
import { isDeepStrictEqual } from 'node:util';
import type { HostPathReading } from '../../host/ports/files.ts';
import { render, type Rendered, type Target } from './render.ts';
import type { InstanceSpec } from './spec.ts';

interface Before {
  readonly target: Target;
  readonly hostPaths: ReadonlyMap<string, HostPathReading>;
  readonly rendered: Rendered;
}

/** By spec, so that it goes with it. */
const before = new WeakMap<InstanceSpec, Before>();

/** As `render`. `there`: what lies there now; where it is the same, its text is kept instead of another copy of it. */
export function renderedBefore(
  target: Target,
  hostPaths: ReadonlyMap<string, HostPathReading>,
  there: { readonly config: string | undefined; readonly record: string | undefined },
): Rendered {
  const known = before.get(target.spec);
  if (known !== undefined && isSame(known.target, target) && isDeepStrictEqual(known.hostPaths, hostPaths)) return known.rendered;
  const made = render(target, hostPaths);
  const rendered: Rendered = {
    ...made,
    config: there.config === made.config ? there.config : made.config,
    record: there.record === made.record ? there.record : made.record,
  };
  before.set(target.spec, { target, hostPaths, rendered });
  return rendered;
}

/** Every member is compared, most of them by being the same object; so one that is added later is not forgotten here. */
function isSame(a: Target, b: Target): boolean {
  const keys = Object.keys(b) as (keyof Target)[];
  return keys.length === Object.keys(a).length && keys.every((key) => a[key] === b[key] || isDeepStrictEqual(a[key], b[key]));
}
