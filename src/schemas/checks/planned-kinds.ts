// Objects of kinds that no code carries out yet. They are refused here and not where they are parsed, so that everything else that is
// wrong with them is told as well: whoever writes them for a later release can check them today.
import { KIND_NAMES } from '../../core/ref.ts';
import { kindSchema } from '../kinds/table.ts';
import type { CheckContext, CheckFinding } from './context.ts';

export function plannedKinds(context: CheckContext): readonly CheckFinding[] {
  return KIND_NAMES.filter((kind) => kindSchema(kind).planned === true)
    .flatMap((kind) => context.ofKind(kind))
    .map((document) => {
      const message = `Objects of kind ${document.kind} are not supported yet.`;
      const finding = { path: ['kind'], rule: 'not-supported-yet', message, hint: 'Remove the document.' };
      return { document, finding, unusable: [document] };
    });
}
