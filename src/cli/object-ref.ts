// The object a text means, also when it is gone: what was deleted still has a history.
import type { ResourceRef } from '../core/ref.ts';
import { type Context, findObject } from './context.ts';
import { ClientError } from './errors.ts';
import { spellOut } from './kind-words.ts';

export async function findOrSpellOut(context: Context, text: string): Promise<ResourceRef> {
  try {
    return (await findObject(context, text)).ref;
  } catch (error) {
    if (error instanceof ClientError && error.options.code === 'NOT_FOUND') return spellOut(text, context.project);
    throw error;
  }
}
